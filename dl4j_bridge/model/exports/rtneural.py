"""RTNeural's JSON, which AIDA-X loads too.

Layout: ``model_loader.h`` and ``lstm/lstm.tpp`` of RTNeural, ``model_variant.hpp`` of AIDA-X.
"""

import json
from typing import Any

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import plain_lstm
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.exports.plain_lstm import TO_A_PLUGIN, PlainLayer, PlainLstm
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
    lstm = PlainLstm.of(model)
    (layer,) = lstm.layers
    units = lstm.weights.size
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
                "weights": [lstm.weights[:, None].tolist(), [lstm.bias]],
            },
        ],
        "samplerate": model.info.rate,
        "metadata": metadata(model, settings),
    }
    # A player without `in_skip` would play a model with one wrong, so it is there only where it is needed.
    return json.dumps(stored | ({"in_skip": 1} if lstm.skip else {})).encode()


def read(file: bytes) -> Run:
    stored: dict[str, Any] = json.loads(file)
    recurrent, dense = stored["layers"]
    units = recurrent["shape"][-1]
    kernel, kernel_of_state, bias = (np.array(values, np.float64) for values in recurrent["weights"])
    zeros = np.zeros(units)
    weights, (last,) = np.array(dense["weights"][0], np.float64)[:, 0], dense["weights"][1]
    layer = PlainLayer(kernel.T, kernel_of_state.T, bias, zeros, zeros)
    return PlainLstm((layer,), weights, last, bool(stored.get("in_skip"))).run


FORMAT = Format(".json", check, content, read)
