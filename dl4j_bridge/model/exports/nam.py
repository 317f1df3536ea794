"""``.nam``, the format of Neural Amp Modeler (architecture LSTM), which many players load.

Layout: ``NAM/lstm.cpp`` of NeuralAmpModelerCore and ``nam/models/recurrent.py`` of neural-amp-modeler. Players compute
with a faster tanh, so their output differs a little.
"""

import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import plain_lstm
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.exports.plain_lstm import TO_A_PLUGIN
from dl4j_bridge.model.imports import nam as reader
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.commands import ExportSettings
from dl4j_bridge.signal.recordings import open_recording

# Some readers refuse other minor versions, others take a later one for another kind of file.
VERSION = "0.5.4"
# In the package neural-amp-modeler: one second at 48 kHz.
TEST_SIGNAL = "models/_resources/loudness_input.wav"


def check(model: OpenedModel) -> None:
    plain_lstm.check(model, "nam")
    if model.info.task.interface.skip:
        raise InputError(model.path, "trained with --skip", f"wanted for nam: no skip connection; {TO_A_PLUGIN}")


def content(model: OpenedModel, settings: ExportSettings) -> bytes:
    lstm = plain_lstm.lstm_of(model)
    weights: list[float] = []
    for layer in lstm.layers:
        # Row by row: the input's columns, then the recurrent ones.
        weights += np.hstack([layer.input, layer.recurrent]).ravel().tolist()
        weights += [*layer.bias.tolist(), *layer.output.tolist(), *layer.cell.tolist()]
    weights += [*lstm.weights[0].tolist(), *lstm.bias.tolist()]
    config = {"input_size": 1, "hidden_size": lstm.weights.shape[1], "num_layers": len(lstm.layers)}
    stored = {
        "version": VERSION,
        "architecture": "LSTM",
        "config": config,
        "weights": weights,
        "sample_rate": model.info.rate,
        "metadata": metadata(model, settings) | _loudness(model),
    }
    return json.dumps(stored).encode()


def _loudness(model: OpenedModel) -> dict[str, float]:
    """``loudness`` in dB, by which players bring models to one level; empty without the package neural-amp-modeler.

    NAM's trainer defines it (``nam/models/base.py``) as the level of the model's output for a test signal of its own,
    whatever the model's rate. No other signal gives the same number, and the signal comes with the package only.
    """
    package = find_spec("nam")
    folders = (package.submodule_search_locations or []) if package else []
    signal = next((path for folder in folders if (path := Path(folder, TEST_SIGNAL)).exists()), None)
    if signal is None:
        return {}
    recording = open_recording(signal)
    x = recording.read(recording.rate)
    y = model.load().network.dense_stream().run(np.asarray(x, np.float32)[:, None])
    power = float(np.mean(np.square(y, dtype=np.float64)))
    return {"loudness": 10 * math.log10(power)} if power > 0 else {}


def read(file: bytes) -> Run:
    return plain_lstm.run_of(reader.read(file))


FORMAT = Format(".nam", check, content, read, keeps_state=True)
