"""``.nam``, the format of Neural Amp Modeler (architecture LSTM), which many players load.

Layout: ``NAM/lstm.cpp`` of NeuralAmpModelerCore and ``nam/models/recurrent.py`` of neural-amp-modeler. Players compute
with a faster tanh, so their output differs a little.
"""

import json

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import plain_lstm
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.imports import nam as reader
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.commands import ExportSettings

# Some readers refuse other minor versions, others take a later one for another kind of file.
VERSION = "0.5.4"


def check(model: OpenedModel) -> None:
    plain_lstm.check(model, "nam")
    if model.info.task.interface.skip:
        raise InputError(model.path, "trained with --skip", "wanted for nam: no skip connection; train without --skip")


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
        "metadata": metadata(model, settings),
    }
    return json.dumps(stored).encode()


def read(file: bytes) -> Run:
    return plain_lstm.run_of(reader.read(file))


FORMAT = Format(".nam", check, content, read, keeps_state=True)
