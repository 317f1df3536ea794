"""The network that plug-ins have a place for: LSTM layers without peepholes, one number a sample."""

from __future__ import annotations

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports.format import Run
from dl4j_bridge.model.imports.format import Imported
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.model.plain_lstm import PlainLstm
from dl4j_bridge.reference.parameters import unpack

TO_A_PLUGIN = "train with: --task frames --preset plugin"


def check(model: OpenedModel, name: str) -> None:
    """Refuse a model that is not one LSTM of samples as numbers.

    Raises
    ------
    InputError
        With what is in the way, and how to train a model without it.
    """
    info = model.info
    interface, network = info.task.interface, info.settings.network
    if (interface.inputs, interface.outputs, interface.output, info.predicts) != (1, 1, "linear", "target"):
        found = f"--task {info.task.name} ({info.task.describe()})"
        raise InputError(model.path, found, f"wanted for {name}: single samples as numbers; {TO_A_PLUGIN}")
    if network.cell != "lstm":
        raise InputError(model.path, f"--cell {network.cell}", f"wanted for {name}: no peepholes; {TO_A_PLUGIN}")


def lstm_of(model: OpenedModel) -> PlainLstm:
    """The network of a model that `check` accepts, at rest."""
    network, silence = model.info.settings.network, model.info.silence
    found = unpack(model.stored.parameters, 1, network.hidden, network.layers, 1, network.cell)
    return PlainLstm.of(found, model.info.task.interface.skip).after_silence(silence)


def run_of(found: Imported) -> Run:
    """The network in a file that was read back, by its own format's arithmetic."""
    assert found.plain
    return found.plain.run
