"""The JSON of GuitarML's Proteus: one LSTM of 40 units at 44.1 kHz, to whose output the player adds the input.

Layout: ``RTNeuralLSTM.cpp`` of Proteus and ``networks.py`` of CoreAudioML.
"""

import json

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import plain_lstm
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.exports.plain_lstm import TO_A_PLUGIN
from dl4j_bridge.model.imports import proteus as reader
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.commands import ExportSettings

UNITS, RATE = 40, 44100


def check(model: OpenedModel) -> None:
    plain_lstm.check(model, "proteus")
    with_skip = f"{TO_A_PLUGIN} --skip"
    network = model.info.settings.network
    if (network.layers, network.hidden) != (1, UNITS):
        found = f"--layers {network.layers} --hidden {network.hidden}"
        raise InputError(model.path, found, f"wanted for proteus: --layers 1 --hidden {UNITS}; {with_skip}")
    if model.info.rate != RATE:
        raise InputError(model.path, f"{model.info.rate} Hz", f"wanted for proteus: --rate {RATE}")
    if not model.info.task.interface.skip:
        wanted = f"wanted for proteus, whose player adds the input: --skip; {with_skip}"
        raise InputError(model.path, "trained without --skip", wanted)


def content(model: OpenedModel, settings: ExportSettings) -> bytes:
    lstm = plain_lstm.lstm_of(model)
    (layer,) = lstm.layers
    stored = {
        "model_data": {
            "model": "SimpleRNN",
            "input_size": 1,
            "skip": 1,
            "output_size": 1,
            "unit_type": "LSTM",
            "num_layers": 1,
            "hidden_size": UNITS,
            "bias_fl": True,
        },
        "state_dict": {
            "rec.weight_ih_l0": layer.input.tolist(),
            "rec.weight_hh_l0": layer.recurrent.tolist(),
            "rec.bias_ih_l0": layer.bias.tolist(),
            "rec.bias_hh_l0": [0.0] * layer.bias.size,
            "lin.weight": lstm.weights.tolist(),
            "lin.bias": lstm.bias.tolist(),
        },
        "metadata": metadata(model, settings),
    }
    return json.dumps(stored).encode()


def read(file: bytes) -> Run:
    return plain_lstm.run_of(reader.read(file))


FORMAT = Format(".json", check, content, read)
