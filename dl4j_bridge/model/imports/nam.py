"""``.nam``, the format of Neural Amp Modeler, with the architecture LSTM.

Layout: ``NAM/lstm.cpp`` of NeuralAmpModelerCore and ``nam/models/recurrent.py`` of neural-amp-modeler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from dl4j_bridge.model.imports.format import Format, Imported, keys, parsed
from dl4j_bridge.model.plain_lstm import PlainLayer, PlainLstm

# Of files that store none.
RATE = 48_000

Size = Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]


@dataclass(frozen=True)
class _Config:
    input_size: Size
    hidden_size: Size
    num_layers: Size


@dataclass(frozen=True)
class _File:
    config: _Config
    weights: list[float]
    sample_rate: float | None = None
    metadata: Any = None


def read(content: bytes) -> Imported:
    stored = parsed(content)
    architecture = stored.get("architecture") if isinstance(stored, dict) else None
    if architecture != "LSTM":
        raise ValueError(f"architecture {str(architecture)[:40]}")
    file = msgspec.convert(stored, _File)
    return Imported.of(_lstm(file), rate=file.sample_rate or RATE, skip=False, metadata=file.metadata)


def _lstm(stored: _File) -> PlainLstm:
    inputs, units = stored.config.input_size, stored.config.hidden_size
    rest = np.array(stored.weights, np.float64)

    def take(*shape: int) -> Any:
        nonlocal rest
        count = int(np.prod(shape, dtype=object))
        if rest.size < count:
            raise ValueError(f"{len(stored.weights)} weights, too few")
        taken, rest = rest[:count].reshape(shape), rest[count:]
        return taken

    layers = []
    for _ in range(stored.config.num_layers):
        # Row by row: the input's columns, then the recurrent ones.
        both = take(4 * units, inputs + units)
        layers.append(PlainLayer(both[:, :inputs], both[:, inputs:], take(4 * units), take(units), take(units)))
        inputs = units
    found = PlainLstm(tuple(layers), take(1, units), take(1))
    if rest.size:
        raise ValueError(f"{len(stored.weights)} weights, {rest.size} too many")
    return found


FORMAT = Format("a .nam of the architecture LSTM", lambda content: "architecture" in keys(content), read)
