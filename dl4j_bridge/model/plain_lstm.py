"""The LSTM of PyTorch and of plug-ins: gates in PyTorch's order, no peepholes, a linear output."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.reference.parameters import Floats, Layer, Network, Output, gate_columns, gate_rows, pack

# Column blocks of DL4J's gates (block input, forget, output, input) in PyTorch's order: input, forget, cell, output.
FROM_DL4J = (3, 1, 0, 2)
# The largest difference between two states that are the same: a longer silence would change no output.
SAME_STATE = 1e-7


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

    @classmethod
    def at_zero(cls, kernel: Floats, recurrent: Floats, bias: Floats) -> PlainLayer:
        """A layer that starts from the zero state."""
        zeros = np.zeros(recurrent.shape[1])
        return cls(kernel, recurrent, bias, zeros, zeros)

    def step(self, driven: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
        """Output and cell state after a time step; `driven` is what input and bias add to the gates."""
        i, f, a, o = np.split(driven + self.recurrent @ h, 4)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(a)
        return _sigmoid(o) * np.tanh(c), c


@dataclass(frozen=True)
class PlainLstm:
    """The layers, the weights of the output, and whether the input is added to it.

    Attributes
    ----------
    layers : tuple of PlainLayer
    weights : ndarray of float64, shape (outputs, units)
    bias : ndarray of float64, shape (outputs,)
    skip : bool
    """

    layers: tuple[PlainLayer, ...]
    weights: Floats
    bias: Floats
    skip: bool = False

    @classmethod
    def of(cls, network: Network, skip: bool = False) -> PlainLstm:
        """The network with DL4J's LSTM layers, from the zero state."""
        layers = []
        for layer in network.layers:
            kernel, recurrent, bias = (gate_rows(values, FROM_DL4J) for values in layer)
            layers.append(PlainLayer.at_zero(kernel, recurrent, bias[:, 0]))
        return cls(tuple(layers), network.output.W.T, network.output.b, skip)

    def parameters(self) -> npt.NDArray[np.float32]:
        """All parameters in the order of DL4J's flat vector; the states are not among them."""
        layers = [
            Layer(*(gate_columns(rows, FROM_DL4J) for rows in (layer.input, layer.recurrent, layer.bias[:, None])))
            for layer in self.layers
        ]
        return pack(Network(tuple(layers), Output(self.weights.T, self.bias))).astype(np.float32)

    def run(self, x: npt.NDArray[Any]) -> Floats:
        """The output for time steps, from the initial state on.

        Parameters
        ----------
        x : ndarray
            Class indices, shape (n,), or vectors, shape (n, inputs).

        Returns
        -------
        ndarray of float64, shape (n, outputs)
        """
        signal = x
        for layer in self.layers:
            driven = (layer.input.T[signal] if signal.ndim == 1 else signal @ layer.input.T) + layer.bias
            signal = np.empty((len(x), layer.cell.size))
            h, c = layer.output, layer.cell
            for t, z in enumerate(driven):
                h, c = layer.step(z, h, c)
                signal[t] = h
        y: Floats = signal @ self.weights.T + self.bias
        return y + x if self.skip else y

    def after_silence(self, steps: int) -> PlainLstm:
        """The same network, starting from its state after time steps of silence from the zero state on."""
        states = next(islice(self._states_in_silence(), steps, None))
        layers = (replace(layer, output=h, cell=c) for layer, (h, c) in zip(self.layers, states, strict=True))
        return replace(self, layers=tuple(layers))

    def silence_to_start(self, longest: int) -> int:
        """The number of time steps of silence, up to `longest`, after which the state is closest to that at the start.

        Of several that are as close, the first.
        """
        wanted = self.states
        distances = (float(np.abs(states - wanted).max()) for states in self._states_in_silence())
        nearest = 0, math.inf
        for found in enumerate(islice(distances, longest + 1)):
            nearest = min(nearest, found, key=itemgetter(1))
            if nearest[1] <= SAME_STATE:
                break
        return nearest[0]

    def _states_in_silence(self) -> Iterator[Floats]:
        """The states after 0, 1, ... time steps of silence from the zero state on, without end; as `states`."""
        states = np.zeros_like(self.states)
        while True:
            yield states
            signal = np.zeros(self.layers[0].input.shape[1])
            before, states = states, np.empty_like(states)
            for layer, (h, c), after in zip(self.layers, before, states, strict=True):
                after[:] = layer.step(layer.input @ signal + layer.bias, h, c)
                signal = after[0]

    @property
    def states(self) -> Floats:
        """The states before the first sample, shape (layers, 2, units): output and cell state of each layer."""
        return np.array([(layer.output, layer.cell) for layer in self.layers])


def _sigmoid(z: Floats) -> Floats:
    # No overflow, unlike exp.
    return np.asarray((1 + np.tanh(z / 2)) / 2)
