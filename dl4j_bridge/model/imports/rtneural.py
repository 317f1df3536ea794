"""RTNeural's JSON, which AIDA-X loads too.

Layout: ``model_loader.h`` and ``lstm/lstm.tpp`` of RTNeural, ``aidadsp-plugin.cpp`` of AIDA-X.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from dl4j_bridge.model.imports.format import Format, Imported, array, keys, parsed
from dl4j_bridge.model.plain_lstm import PlainLayer, PlainLstm

# What the files of its exporters have; a layer without a name for it has the same.
_ACTIVATIONS = {"lstm": ("", "tanh"), "dense": ("", "linear")}


@dataclass(frozen=True)
class _Layer:
    type: str
    shape: list[int | None]
    weights: list[Any]
    activation: str = ""


@dataclass(frozen=True)
class _File:
    in_shape: list[int | None]
    layers: list[_Layer]
    in_skip: int = 0
    in_gain: float = 0
    out_gain: float = 0
    samplerate: float | None = None
    metadata: Any = None


def read(content: bytes) -> Imported:
    stored = parsed(content)
    # Before the weights: those of other layers have other shapes.
    layers = stored.get("layers") if isinstance(stored, dict) else None
    known = layers if isinstance(layers, list) else []
    kinds = [str(layer.get("type"))[:40] for layer in known if isinstance(layer, dict)]
    if len(kinds) < 2 or kinds != ["lstm"] * (len(kinds) - 1) + ["dense"]:
        raise ValueError(f"layers {', '.join(kinds) or 'of no kind'}")
    file = msgspec.convert(stored, _File)
    lstm = _lstm(file)
    return Imported.of(lstm, rate=file.samplerate, skip=lstm.skip, metadata=file.metadata)


def _lstm(stored: _File) -> PlainLstm:
    *recurrent, dense = stored.layers
    for layer in stored.layers:
        if layer.activation not in _ACTIVATIONS[layer.type]:
            raise ValueError(f"a {layer.type} layer with the activation {layer.activation[:40]}")
    if stored.in_gain or stored.out_gain:
        raise ValueError(f"in_gain {stored.in_gain} dB, out_gain {stored.out_gain} dB")
    layers: list[PlainLayer] = []
    inputs, units, outputs = map(_width, (stored.in_shape, recurrent[0].shape, dense.shape))
    for layer in recurrent:
        kernel, of_state, bias = _arrays(layer, (inputs, 4 * units), (units, 4 * units), (4 * units,))
        layers.append(PlainLayer.at_zero(kernel.T, of_state.T, bias))
        inputs = units
    weights, bias = _arrays(dense, (units, outputs), (outputs,))
    return PlainLstm(tuple(layers), weights.T, bias, stored.in_skip == 1)


def _width(shape: list[int | None]) -> int:
    width = shape[-1] if shape else None
    if width is None or width < 1:
        raise ValueError(f"shape {str(shape)[:40]}")
    return width


def _arrays(layer: _Layer, *shapes: tuple[int, ...]) -> list[Any]:
    if len(layer.weights) != len(shapes):
        raise ValueError(f"a {layer.type} layer with {len(layer.weights)} arrays instead of {len(shapes)}")
    return [array(f"weights of {layer.type}", *values) for values in zip(layer.weights, shapes, strict=True)]


FORMAT = Format("the JSON of RTNeural with LSTM layers and a dense one", lambda c: "layers" in keys(c), read)
