"""Checks the configuration of a network that another program wrote, before Java makes objects of it.

DL4J gives ``configuration.json`` to Jackson, which loads the class that an ``@class`` names, or the ``type`` of a
distribution, or the first text of a list in the place of such an object. It reads no other value as the name of a
class. Every text that looks like one is refused all the same, unless it is the name of a layer.
"""

from __future__ import annotations

import math
import re
from typing import Any

from dl4j_bridge.model.dl4j_classes import CLASSES

_DEEPEST = 40
_CLASS_TAGS = ("@class", "type")
_CLASS_NAME = re.compile(r"[A-Za-z_$][\w$]*(\.[\w$]+)+(<.*)?", re.S)
# Fields whose values are names of layers, inputs and parameters, which may contain dots.
_NAMES = {
    "inputName", "layerName", "maskArrayInputName", "networkInputs", "networkOutputs", "params",
    "topologicalOrderStr", "variables", "vertexInputs",
}  # fmt: skip
# The same for the keys of an object.
_KEYED_BY_NAME = ("vertexInputs", "vertices")

_SPATIAL, _WIDE, _INT = 1 << 12, 1 << 24, (1 << 31) - 1
# Smallest and largest value of a number, or of each number in a list. DL4J computes sizes of memory from these, and
# divides by some. A seed may be any long; other numbers must fit into an int.
_RANGES = dict.fromkeys(("nin", "nout", "inputHeight", "inputWidth", "inputDepth", "numChannels"), (0, _WIDE))
_RANGES |= dict.fromkeys(("kernelSize", "stride", "dilation", "size", "blocks", "blockSize"), (1, _SPATIAL))
_RANGES |= dict.fromkeys(("depthMultiplier", "stackSize", "tbpttFwdLength", "tbpttBackLength"), (1, _WIDE))
_RANGES |= dict.fromkeys(("padding", "cropping", "inputShape", "from", "to"), (0, _SPATIAL))
_RANGES |= dict.fromkeys(("iterationCount", "epochCount"), (0, _INT))
_RANGES |= {"seed": (-(1 << 63), (1 << 63) - 1)}
_ANY = (-_INT, _INT)


def check(node: Any, key: str = "", is_name: bool = False, depth: int = 0) -> None:
    """Check a parsed configuration, or a value in it.

    Parameters
    ----------
    node
        What `json_text.parse` returned.
    key
        Key of the object that holds the value.
    is_name
        Whether texts in it are names of layers.
    depth
        Number of objects and lists around it.

    Raises
    ------
    ValueError
        If it names a class that is not in `CLASSES`, has a number out of range, or is nested too deep.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(node, dict):
        if key == "weights":
            _check_array(node)
        for name, child in node.items():
            if name in _CLASS_TAGS:
                if not isinstance(child, str) or child not in CLASSES:
                    raise _refused(child)
                continue
            if not name.isprintable():
                raise ValueError(f"a key with control characters: {name!r:.80}")
            if key not in _KEYED_BY_NAME:
                _check_text(name)
            # The values below a key that somebody chose are those of that key, whatever it is called.
            check(child, "" if key in _KEYED_BY_NAME else name, is_name or name in _NAMES, depth + 1)
    elif isinstance(node, list):
        if not is_name and any(isinstance(child, str) for child in node):
            raise ValueError(f"{key[:40]} has texts in a list: {str(node)[:80]}")
        if key in _RANGES and None in node:
            raise ValueError(f"{key} has a null in a list; wanted whole numbers")
        for child in node:
            check(child, key, is_name, depth + 1)
    elif key in _RANGES and type(node) in (str, float):
        # Jackson would make an int of it.
        raise ValueError(f"{key} is {node!r:.40}; wanted a whole number")
    elif isinstance(node, str):
        if not node.isprintable():
            raise ValueError(f"a text with control characters: {node!r:.80}")
        if not is_name:
            _check_text(node)
    elif isinstance(node, float):
        if not math.isfinite(node):
            raise ValueError(f"{key[:40]} is {node}, which is not JSON")
    elif isinstance(node, int):
        least, most = _RANGES.get(key, _ANY)
        if not least <= node <= most:
            raise ValueError(f"{key[:40]} is {str(node)[:40]}; wanted {least} to {most}")


def _check_text(text: str) -> None:
    if _CLASS_NAME.fullmatch(text) and text not in CLASSES:
        raise _refused(text)


def _check_array(array: dict[str, Any]) -> None:
    """Check an array of ND4J that a loss function holds: as many values as its shape says, all of them floats."""
    shape, values = array.get("shape"), array.get("data")
    if array.get("dataType") not in ("FLOAT", "DOUBLE") or not isinstance(shape, list) or not isinstance(values, list):
        raise ValueError("weights of a loss that are not an array of floats")
    if any(type(n) is not int or n < 1 for n in shape) or math.prod(shape) != len(values):
        raise ValueError("weights of a loss with a shape that their values do not fit")


def _refused(name: object) -> ValueError:
    text = str(name)
    what = "a layer of SameDiff" if "samediff" in text.lower() else "the class"
    return ValueError(f"{what} {text[:120]!r} is not one of DL4J's that this package lets Java make")
