"""The JSON of GuitarML's Proteus: PyTorch's state of one LSTM, to whose output the player adds the input.

Layout: ``RTNeuralLSTM.cpp`` of Proteus and ``networks.py`` of CoreAudioML.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from dl4j_bridge.model.imports import pytorch
from dl4j_bridge.model.imports.format import Format, Imported, keys, numbers, parsed
from dl4j_bridge.model.plain_lstm import PlainLstm

# Of its player.
RATE = 44_100


@dataclass(frozen=True)
class _Model:
    unit_type: str
    skip: int


@dataclass(frozen=True)
class _File:
    model_data: _Model
    state_dict: dict[str, Any]
    metadata: Any = None


def read(content: bytes) -> Imported:
    stored = msgspec.convert(parsed(content), _File)
    lstm = _lstm(stored)
    return Imported.of(lstm, rate=RATE, skip=lstm.skip, metadata=stored.metadata)


def _lstm(stored: _File) -> PlainLstm:
    if stored.model_data.unit_type != "LSTM":
        raise ValueError(f"unit_type {stored.model_data.unit_type[:40]}")
    state = {name: numbers(name, values) for name, values in stored.state_dict.items()}
    return replace(pytorch.lstm_of(state), skip=stored.model_data.skip == 1)


FORMAT = Format("the JSON of Proteus with one LSTM", lambda content: "state_dict" in keys(content), read)
