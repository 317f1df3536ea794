"""``.nam``, the format of Neural Amp Modeler (architecture LSTM), which many players load.

Layout: ``NAM/lstm.cpp`` of NeuralAmpModelerCore and ``nam/models/recurrent.py`` of neural-amp-modeler. Players compute
with a faster tanh, so their output differs a little.
"""

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import plain_lstm
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.exports.plain_lstm import TO_A_PLUGIN, PlainLayer, PlainLstm
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
    lstm = PlainLstm.of(model)
    weights: list[float] = []
    for layer in lstm.layers:
        # Row by row: the input's columns, then the recurrent ones.
        weights += np.hstack([layer.input, layer.recurrent]).ravel().tolist()
        weights += [*layer.bias.tolist(), *layer.output.tolist(), *layer.cell.tolist()]
    weights += [*lstm.weights.tolist(), lstm.bias]
    config = {"input_size": 1, "hidden_size": lstm.weights.size, "num_layers": len(lstm.layers)}
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
    return lstm_of(json.loads(file)).run


def lstm_of(stored: dict[str, Any]) -> PlainLstm:
    """The network in a ``.nam`` file.

    Raises
    ------
    ValueError
        The number of weights is not that of the sizes.
    """
    inputs, units = stored["config"]["input_size"], stored["config"]["hidden_size"]
    rest = np.asarray(stored["weights"], np.float64)

    def take(*shape: int) -> Any:
        nonlocal rest
        count = int(np.prod(shape))
        if rest.size < count:
            raise ValueError(f"{len(stored['weights'])} weights, too few")
        taken, rest = rest[:count].reshape(shape), rest[count:]
        return taken

    layers = []
    for _ in range(stored["config"]["num_layers"]):
        both = take(4 * units, inputs + units)
        layers.append(PlainLayer(both[:, :inputs], both[:, inputs:], take(4 * units), take(units), take(units)))
        inputs = units
    found = PlainLstm(tuple(layers), take(units), float(take(1)[0]))
    if rest.size:
        raise ValueError(f"{len(stored['weights'])} weights, {rest.size} too many")
    return found


FORMAT = Format(".nam", check, content, read)
