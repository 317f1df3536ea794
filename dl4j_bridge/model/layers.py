"""What the configuration of a DL4J network says about its layers and inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

# A size that may be any, by the name of the axis.
Axis = int | str
Shape = tuple[Axis, ...]

# Fields in which a layer holds the layer that it wraps.
_WRAPPED = ("underlying", "layer", "fwd")
_RECURRENT = {"GravesLSTM", "LSTM", "SimpleRnn", "GravesBidirectionalLSTM", "RnnOutputLayer", "Convolution1D"}
_RECURRENT |= {"Convolution1DLayer"}
_FLAT = {"DenseLayer", "OutputLayer", "CenterLossOutputLayer", "AutoEncoder", "ElementWiseMultiplicationLayer"}
_PICTURES = {"ConvolutionLayer", "Convolution2D", "Deconvolution2D", "DepthwiseConvolution2D"}
_PICTURES |= {"SeparableConvolution2D"}


@dataclass(frozen=True)
class Layer:
    """A layer or another vertex of a network.

    Attributes
    ----------
    name : str
        DL4J's: its number in a MultiLayerNetwork, its name in a ComputationGraph. Parameters begin with it.
    kind : str
        Its class without the package, such as ``LSTM``; ``Bidirectional(LSTM)`` for one that wraps another.
    inputs, outputs : int or None
        Sizes; None for a layer without parameters of its own, such as pooling.
    parameters : int
        Number of parameters.
    activation, loss, updater : str or None
        Such as ``TanH``, ``MCXENT``, ``Adam(0.001)``.
    """

    name: str
    kind: str
    inputs: int | None
    outputs: int | None
    parameters: int
    activation: str | None
    loss: str | None
    updater: str | None


def describe(configuration: Mapping[str, Any], parameter_shapes: Mapping[str, tuple[int, ...]]) -> tuple[Layer, ...]:
    """Return the layers in the order of the configuration.

    Parameters
    ----------
    configuration
        A checked configuration.
    parameter_shapes
        By DL4J's names of the parameters.

    Raises
    ------
    ValueError
        If the configuration has no list of layers or a layer without class.
    """
    counts: dict[str, int] = {}
    for name, shape in parameter_shapes.items():
        layer = name.rpartition("_")[0]
        counts[layer] = counts.get(layer, 0) + prod(shape)
    return tuple(_layer(name, found, counts.get(name, 0)) for name, found in confs(configuration).items())


def confs(configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the configuration of each layer or other vertex by its name.

    Raises
    ------
    ValueError
        If one is missing or has no class.
    """
    try:
        if "vertices" in configuration:
            found = {name: _in_vertex(vertex) for name, vertex in configuration["vertices"].items()}
        else:
            found = {str(number): conf["layer"] for number, conf in enumerate(configuration["confs"])}
        if not found or not all(isinstance(layer["@class"], str) for layer in found.values()):
            raise ValueError("no layers")
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"a layer without {e}") from None
    return found


def input_shapes(configuration: Mapping[str, Any]) -> dict[str, Shape | None]:
    """Return the shape that each input of the network must have.

    Returns
    -------
    dict
        By name of the input; ``x`` in a MultiLayerNetwork. A text stands for an axis of any size. None for an input
        whose layer is not one of the usual ones.
    """
    layers = confs(configuration)
    if "vertices" not in configuration:
        return {"x": _input_of(layers["0"], (configuration.get("inputPreProcessors") or {}).get("0"))}
    found: dict[str, Shape | None] = {}
    for name in configuration["networkInputs"]:
        readers = [vertex for vertex, inputs in configuration["vertexInputs"].items() if name in inputs]
        before = [configuration["vertices"][vertex].get("preProcessor") for vertex in readers]
        shapes = {_input_of(layers[vertex], pre) for vertex, pre in zip(readers, before, strict=True)}
        found[name] = shapes.pop() if len(shapes) == 1 else None
    return found


def label_shapes(configuration: Mapping[str, Any]) -> dict[str, Shape | None]:
    """Return the shape that the labels of each output must have, as `input_shapes` does; ``y`` without a name."""
    layers = confs(configuration)
    if "vertices" not in configuration:
        return {"y": _labels_of(layers[str(len(layers) - 1)])}
    return {name: _labels_of(layers[name]) for name in configuration["networkOutputs"]}


def is_truncated(configuration: Mapping[str, Any]) -> bool:
    """Return True if DL4J's fit cuts time series into segments of truncated backpropagation."""
    return configuration.get("backpropType") == "TruncatedBPTT"


def _in_vertex(vertex: dict[str, Any]) -> dict[str, Any]:
    """The layer in a LayerVertex, or the vertex itself."""
    layer: dict[str, Any] = vertex["layerConf"]["layer"] if vertex.get("layerConf") else vertex
    return layer


def _layer(name: str, layer: dict[str, Any], parameters: int) -> Layer:
    inner, kind = _innermost(layer), _kind(layer)
    if inner is not layer:
        kind = f"{kind}({_kind(inner)})"
    return Layer(
        name, kind, inner.get("nin") or None, inner.get("nout") or None, parameters,
        _short(inner.get("activationFn"), "Activation"), _short(inner.get("lossFn"), "Loss"), _updater(inner),
    )  # fmt: skip


def _innermost(layer: dict[str, Any]) -> dict[str, Any]:
    while wrapped := next((layer[field] for field in _WRAPPED if isinstance(layer.get(field), dict)), None):
        layer = wrapped
    return layer


def _kind(layer: dict[str, Any]) -> str:
    return str(layer.get("@class", "")).rpartition(".")[2]


def _short(conf: Any, prefix: str) -> str | None:
    return _kind(conf).removeprefix(prefix) if isinstance(conf, dict) else None


def _updater(layer: dict[str, Any]) -> str | None:
    conf = layer.get("iupdater")
    if not isinstance(conf, dict):
        return None
    schedule, rate = conf.get("learningRateSchedule"), conf.get("learningRate")
    detail = _kind(schedule) if isinstance(schedule, dict) else rate if isinstance(rate, int | float) else ""
    return f"{_kind(conf)}({detail})"


def _input_of(layer: dict[str, Any], before: Any) -> Shape | None:
    if isinstance(before, dict):
        return _input_of_preprocessor(before, layer)
    kind, inner = _kind(layer), _innermost(layer)
    size = _size(inner, "nin")
    if _kind(inner) in _RECURRENT or kind == "TimeDistributed":
        by_time = "NWC" in (inner.get("rnnDataFormat"), layer.get("rnnDataFormat"))
        return ("batch", "time", size) if by_time else ("batch", size, "time")
    if _kind(inner) in _FLAT:
        return ("batch", size)
    if _kind(inner) in _PICTURES:
        last = "NHWC" in (inner.get("cnn2dDataFormat"), inner.get("dataFormat"))
        return ("batch", "height", "width", size) if last else ("batch", size, "height", "width")
    return ("batch", 1) if kind == "EmbeddingLayer" else None


def _labels_of(layer: dict[str, Any]) -> Shape | None:
    kind, size = _kind(layer), _size(layer, "nout")
    if _short(layer.get("lossFn"), "Loss") == "SparseMCXENT":
        return None
    if kind == "RnnOutputLayer":
        return ("batch", "time", size) if layer.get("rnnDataFormat") == "NWC" else ("batch", size, "time")
    return ("batch", size) if kind in ("OutputLayer", "CenterLossOutputLayer") else None


def _input_of_preprocessor(before: dict[str, Any], layer: dict[str, Any]) -> Shape | None:
    size = _size(_innermost(layer), "nin")
    channels, height, width = (_size(before, name) for name in ("numChannels", "inputHeight", "inputWidth"))
    if _kind(before) == "FeedForwardToRnnPreProcessor":
        return ("batch", size)
    if _kind(before) == "RnnToFeedForwardPreProcessor" and before.get("rnnDataFormat") != "NWC":
        return ("batch", size, "time")
    if isinstance(channels, int) and isinstance(height, int) and isinstance(width, int):
        if _kind(before) == "FeedForwardToCnnPreProcessor":
            return ("batch", channels * height * width)
        if _kind(before) == "CnnToFeedForwardPreProcessor":
            last = before.get("format") == "NHWC"
            return ("batch", height, width, channels) if last else ("batch", channels, height, width)
    return None


def _size(conf: dict[str, Any], field: str) -> Axis:
    size = conf.get(field)
    return size if isinstance(size, int) else "any"
