"""The zip of a DL4J ``MultiLayerNetwork``: GravesLSTM or LSTM layers of one size under an ``RnnOutputLayer``.

It is read in Python, as strictly as our own. Java opens no file of a stranger.
"""

from __future__ import annotations

from typing import Any

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.model import stored_network
from dl4j_bridge.model.imports.format import Format, Imported
from dl4j_bridge.model.stored_network import ACTIVATIONS, CONFIGURATION, LARGEST, LAYERS, OUTPUTS, PARAMETERS
from dl4j_bridge.reference.dl4j_zip import CELLS
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.untrusted import json_text, zips

# Of a layer: more than the parameters have room for.
LARGEST_SIZE = 1 << 24
_LOSSES = {"softmax": "LossMCXENT", "linear": "LossMSE", "sigmoid": "LossMSE"}
_REFUSED = {
    "normalizer.bin": "its scale of the input is a Java object, which is not read",
    "preprocessor.bin": "its scale of the input is a Java object, which is not read",
    "dl4j_bridge.json": "it is a model of this program already; use it as it is",
}


def read(content: bytes) -> Imported:
    zips.check_layout(content)
    entries = zips.read(content, _largest_of, sum(LARGEST.values()))
    for name in (CONFIGURATION, PARAMETERS):
        if name not in entries:
            raise ValueError(f"no entry {name}")
    layers = _layers(json_text.parse(entries[CONFIGURATION]))
    output = _output(layers[-1])
    cells = {name: cell for cell, name in CELLS.items()}
    settings = NetworkSettings(cell=cells[_kind(layers[0])], layers=len(layers) - 1, hidden=layers[0]["nout"])
    ends = Interface.of_vectors(layers[0]["nin"], layers[-1]["nout"], output)
    # The updater's state belongs to a training that is not continued.
    stored = stored_network.read({name: entries[name] for name in (CONFIGURATION, PARAMETERS)}, settings, ends)
    return Imported(
        settings.cell, settings.layers, settings.hidden, ends.inputs, ends.outputs, stored.parameters, output
    )


def _largest_of(name: str) -> int | None:
    if name in _REFUSED:
        raise ValueError(f"entry {name}: {_REFUSED[name]}")
    return LARGEST.get(name)


def _layers(configuration: Any) -> list[dict[str, Any]]:
    """The layers, recurrent ones of one kind and size, then the output."""
    if isinstance(configuration, dict) and "vertices" in configuration:
        raise ValueError("a ComputationGraph")
    try:
        layers = [conf["layer"] for conf in configuration["confs"]]
        kinds = [_kind(layer) for layer in layers]
        preprocessors = [_kind(p) for p in (configuration.get("inputPreProcessors") or {}).values()]
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"{CONFIGURATION} describes no layers as DL4J 1.0 does ({e})") from None
    for number, kind in enumerate(kinds):
        is_last = number == len(kinds) - 1
        if kind != "RnnOutputLayer" if is_last else kind not in CELLS.values():
            raise ValueError(f"layer {number} is of the kind {kind[:80]}")
    sizes = [layer.get(name) for layer in layers for name in ("nin", "nout")]
    if len(kinds) < 2 or not all(type(size) is int and 0 < size <= LARGEST_SIZE for size in sizes):
        raise ValueError(f"{CONFIGURATION} does not describe recurrent layers with their sizes")
    if len(set(kinds[:-1])) > 1:
        raise ValueError(f"layers of several kinds: {', '.join(kinds[:-1])}")
    units = [layer["nout"] for layer in layers[:-1]]
    if len(set(units)) > 1:
        raise ValueError(f"layers of several sizes: {', '.join(map(str, units))} units")
    if preprocessors:
        raise ValueError(f"an input preprocessor {preprocessors[0][:80]}")
    return layers


def _output(layer: dict[str, Any]) -> str:
    """The activation of the output layer, which has the loss that training would use."""
    kinds = {ACTIVATIONS + name: output for output, name in OUTPUTS.items()}
    activation = layer.get("activationFn")
    output = kinds.get(str(activation.get("@class"))) if isinstance(activation, dict) else None
    loss = layer.get("lossFn")
    kind = str(loss.get("@class")).rpartition(".")[2] if isinstance(loss, dict) else str(loss)
    if output is None or kind != _LOSSES[output]:
        raise ValueError(f"an output with the activation {output or str(activation)[:80]} and the loss {kind[:80]}")
    if layer.get("hasBias", True) is not True:
        raise ValueError("an output layer without bias")
    return output


def _kind(node: dict[str, Any]) -> str:
    """The name of a class of DL4J without its package."""
    return str(node["@class"]).removeprefix(LAYERS)


FORMAT = Format(
    "a DL4J MultiLayerNetwork of GravesLSTM or LSTM layers of one size under an RnnOutputLayer",
    lambda content: content.startswith(b"PK\x03\x04"),
    read,
)
