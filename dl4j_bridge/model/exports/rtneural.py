"""RTNeural's JSON, which AIDA-X loads too.

Layout: ``model_loader.h`` and ``lstm/lstm.tpp`` of RTNeural, ``model_variant.hpp`` of AIDA-X.
"""

import json

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import plain_lstm
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.exports.plain_lstm import TO_A_PLUGIN
from dl4j_bridge.model.imports import rtneural as reader
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.commands import ExportSettings

# AIDA-X has these compiled in, and silently ignores a file with another size.
UNITS = (8, 12, 16, 20, 24, 32, 40, 64, 80)


def check(model: OpenedModel) -> None:
    plain_lstm.check(model, "rtneural")
    network = model.info.settings.network
    if network.layers != 1:
        raise InputError(model.path, f"--layers {network.layers}", f"wanted for rtneural: --layers 1; {TO_A_PLUGIN}")
    if network.hidden not in UNITS:
        sizes = ", ".join(map(str, UNITS))
        raise InputError(
            model.path, f"--hidden {network.hidden}", f"wanted for rtneural: --hidden of {sizes}; {TO_A_PLUGIN}"
        )


def content(model: OpenedModel, settings: ExportSettings) -> bytes:
    lstm = plain_lstm.lstm_of(model)
    (layer,) = lstm.layers
    units = lstm.weights.shape[1]
    stored = {
        "in_shape": [None, None, 1],
        "layers": [
            {
                "type": "lstm",
                "activation": "",
                "shape": [None, None, units],
                "weights": [layer.input.T.tolist(), layer.recurrent.T.tolist(), layer.bias.tolist()],
            },
            {
                "type": "dense",
                "activation": "",
                "shape": [None, None, 1],
                "weights": [lstm.weights.T.tolist(), lstm.bias.tolist()],
            },
        ],
        "samplerate": model.info.rate,
        "metadata": metadata(model, settings),
    }
    # A player without `in_skip` would play a model with one wrong, so it is there only where it is needed.
    return json.dumps(stored | ({"in_skip": 1} if lstm.skip else {})).encode()


def read(file: bytes) -> Run:
    return plain_lstm.run_of(reader.read(file))


FORMAT = Format(".json", check, content, read)
