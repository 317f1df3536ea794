"""The LSTM that plug-ins have: gates in PyTorch's order, no peepholes, a linear output of one number a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.reference.parameters import Floats, gate_rows, unpack

# Column blocks of DL4J's gates (block input, forget, output, input) in PyTorch's order: input, forget, cell, output.
FROM_DL4J = (3, 1, 0, 2)
TO_A_PLUGIN = "train with: --task frames --preset plugin"


@dataclass(frozen=True)
class PlainLayer:
    """Weights of one layer; the rows are the input, forget, cell and output gates.

    Attributes
    ----------
    input : ndarray of float64, shape (4 * units, inputs)
    recurrent : ndarray of float64, shape (4 * units, units)
    bias : ndarray of float64, shape (4 * units,)
    output, cell : ndarray of float64, shape (units,)
        The state before the first sample.
    """

    input: Floats
    recurrent: Floats
    bias: Floats
    output: Floats
    cell: Floats


@dataclass(frozen=True)
class PlainLstm:
    """The layers, the weights of the output, shape (units,), its bias, and whether the input is added to it."""

    layers: tuple[PlainLayer, ...]
    weights: Floats
    bias: float
    skip: bool = False

    @classmethod
    def of(cls, model: OpenedModel) -> PlainLstm:
        """The network of a model that `check` accepts."""
        network = model.info.settings.network
        found = unpack(model.stored.parameters, 1, network.hidden, network.layers, 1, "lstm")
        zeros = np.zeros(network.hidden)
        layers = []
        for layer in found.layers:
            kernel, recurrent, bias = (gate_rows(values, FROM_DL4J) for values in layer)
            layers.append(PlainLayer(kernel, recurrent, bias[:, 0], zeros, zeros))
        return cls(tuple(layers), found.output.W.ravel(), float(found.output.b[0]), model.info.task.interface.skip)

    def run(self, x: npt.NDArray[np.floating]) -> Floats:
        """The output for samples, both of shape (n, 1), from the initial state on."""
        signal = np.asarray(x, np.float64)
        for layer in self.layers:
            units = layer.cell.size
            h, c = layer.output, layer.cell
            driven = signal @ layer.input.T + layer.bias
            signal = np.empty((len(x), units))
            for t, z in enumerate(driven):
                z = z + layer.recurrent @ h
                i, f, o = (1 / (1 + np.exp(-z[k * units : (k + 1) * units])) for k in (0, 1, 3))
                c = f * c + i * np.tanh(z[2 * units : 3 * units])
                h = o * np.tanh(c)
                signal[t] = h
        y: Floats = signal @ self.weights[:, None] + self.bias
        return y + x if self.skip else y


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
