"""DL4J's entries of a model zip: read and checked in Python, so that Java gets numbers and never a stranger's file.

Java makes the configuration of a loaded network from the settings in ``dl4j_bridge.json``, as it did for the training.
``configuration.json`` is only compared with them: what it holds beyond that reaches no parser in Java.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.reference.dl4j_zip import CELLS, read_nd4j
from dl4j_bridge.reference.parameters import layout
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.untrusted import json_text

CONFIGURATION = "configuration.json"
PARAMETERS = "coefficients.bin"
UPDATER = "updaterState.bin"
# Maximum size of each entry in bytes: more than that of any network that trains on a desk.
LARGEST = {CONFIGURATION: 4 << 20, PARAMETERS: 1 << 30, UPDATER: 2 << 30}

Floats = npt.NDArray[np.float32]
Array = TypeVar("Array", bound=npt.NDArray[Any])

LAYERS = "org.deeplearning4j.nn.conf.layers."
ACTIVATIONS = "org.nd4j.linalg.activations.impl.Activation"
OUTPUTS = {"softmax": "Softmax", "linear": "Identity", "sigmoid": "Sigmoid"}
# Numbers that an updater of DL4J keeps for each parameter.
_UPDATER_STATES = {"adam": 2, "rmsprop": 1, "nesterovs": 1, "adagrad": 1, "sgd": 0}
_CLASS_NAME = re.compile(r"[A-Za-z_$][\w$]*(\.[\w$]+)+")
_OWN_CLASSES = ("org.deeplearning4j.", "org.nd4j.linalg.")


@dataclass(frozen=True)
class StoredNetwork:
    """A network in a model zip.

    Attributes
    ----------
    parameters : ndarray of float32, shape (n,)
        In DL4J's order; all finite.
    updater : ndarray of float32, shape (m,), or None
        State of the updater; None if the zip has none.
    iterations : int
        Number of updates that DL4J has counted.
    """

    parameters: Floats
    updater: Floats | None
    iterations: int


def read(entries: Mapping[str, bytes], settings: NetworkSettings, interface: Interface) -> StoredNetwork:
    """Read DL4J's entries and check them against the settings of the network.

    Parameters
    ----------
    entries
        Content by name of entry.
    settings, interface
        Of the network that the entries must contain.

    Raises
    ------
    ValueError
        If an entry is damaged, describes another network, or holds NaN or Inf.
    """
    try:
        configuration = json_text.parse(entries[CONFIGURATION])
    except ValueError as e:
        raise ValueError(f"{CONFIGURATION} is not JSON ({e})") from None
    _check_class_names(configuration)
    _check_layers(configuration, settings, interface)
    iterations = configuration.get("iterationCount")
    if type(iterations) is not int or not 0 <= iterations < 1 << 31:
        raise ValueError(f"{CONFIGURATION}: iterationCount {str(iterations)[:40]}; wanted 0 up to 2^31 - 1")
    sizes = layout(interface.inputs, settings.hidden, settings.layers, interface.outputs, settings.cell)
    count = sizes["output/b"][0].stop
    updater = None
    if UPDATER in entries:
        updater = _numbers(entries, UPDATER, count * _UPDATER_STATES[settings.updater])
    return StoredNetwork(_numbers(entries, PARAMETERS, count), updater, iterations)


def _numbers(entries: Mapping[str, bytes], name: str, count: int) -> Floats:
    found = array_in(entries, name, read_nd4j)
    if found.size != count:
        raise ValueError(f"{name} holds {found.size} numbers; this network wants {count}")
    check_finite(name, found)
    return found


def array_in(entries: Mapping[str, bytes], name: str, read_array: Callable[[bytes], Array]) -> Array:
    """The array in an entry; raises `ValueError` if it is damaged or of another type than `read_array` takes."""
    try:
        return read_array(entries[name])
    except (ValueError, struct.error, UnicodeDecodeError) as e:
        raise ValueError(f"{name} is not an array of ND4J ({e})") from None


def check_finite(name: str, found: npt.NDArray[np.floating[Any]]) -> None:
    """Raise `ValueError` with the place of the first number in an entry that is NaN or infinite."""
    if not np.isfinite(found).all():
        at = int(np.argmin(np.isfinite(found)))
        raise ValueError(f"{name} is not finite: number {at} is {found[at]}")


def _check_class_names(node: Any) -> None:
    """Refuse classes that are not DL4J's, for Java programs that give the configuration to Jackson."""
    if isinstance(node, str) and _CLASS_NAME.fullmatch(node) and not node.startswith(_OWN_CLASSES):
        raise ValueError(f"{CONFIGURATION} names the class {node[:80]!r}")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _check_class_names(child)


def _check_layers(configuration: Any, settings: NetworkSettings, interface: Interface) -> None:
    wanted = _expected_layers(settings, interface)
    try:
        found = [conf["layer"] for conf in configuration["confs"]]
        fields = [{name: _simple(layer[name]) for name in want} for layer, want in zip(found, wanted, strict=True)]
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"{CONFIGURATION} does not describe {len(wanted)} layers ({e})") from None
    for number, (has, want) in enumerate(zip(fields, wanted, strict=True)):
        for name in want:
            if has[name] != want[name]:
                found_value = str(has[name])[:80]
                raise ValueError(f"{CONFIGURATION}: layer {number} has {name} {found_value}; wanted {want[name]}")


def _expected_layers(settings: NetworkSettings, interface: Interface) -> list[dict[str, Any]]:
    recurrent = {
        "@class": LAYERS + CELLS[settings.cell],
        "activationFn": ACTIVATIONS + "TanH",
        "gateActivationFn": ACTIVATIONS + "Sigmoid",
        "nout": settings.hidden,
    }
    output = {
        "@class": LAYERS + "RnnOutputLayer",
        "activationFn": ACTIVATIONS + OUTPUTS[interface.output],
        "nin": settings.hidden,
        "nout": interface.outputs,
    }
    inputs = [interface.inputs] + [settings.hidden] * (settings.layers - 1)
    return [recurrent | {"nin": size} for size in inputs] + [output]


def _simple(value: Any) -> Any:
    """The name of a class instead of an object of it."""
    return value["@class"] if isinstance(value, dict) else value
