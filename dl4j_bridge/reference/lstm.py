"""An LSTM classifier that runs and trains in NumPy, and DL4J's Adam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from dl4j_bridge.reference.dl4j_zip import read_parameters
from dl4j_bridge.reference.equations import Record, State, backward, cross_entropy, forward, one_hot, zero_states
from dl4j_bridge.reference.parameters import (
    PEEPHOLE_COLUMNS,
    Floats,
    Indices,
    Layer,
    Network,
    Output,
    pack,
    unpack_like,
)


class ReferenceLstm:
    """A network with one-hot input and softmax output, trained with truncated backpropagation through time and Adam.

    Parameters
    ----------
    params : Network
        Initial parameters; see `create` and `load`.
    learning_rate : float
        Learning rate of Adam.
    clip : float
        Largest L2 norm of each layer's gradient; 0 for no clipping.

    Examples
    --------
    >>> x = np.random.default_rng(0).integers(0, 4, (8, 20))
    >>> lstm = ReferenceLstm.create(inputs=4, hidden=8, layers=1, outputs=4, seed=1, learning_rate=0.05)
    >>> bits = lstm.fit(x, x, steps=60, tbptt=10)
    >>> bool(np.mean(lstm.run(x).argmax(axis=2) == x) > 0.99)
    True
    """

    def __init__(self, params: Network, learning_rate: float = 0.005, clip: float = 1.0) -> None:
        self.params = params
        self._clip = clip
        self._adam = Adam(learning_rate)
        self._states: list[State] = []

    @classmethod
    def create(
        cls,
        inputs: int,
        hidden: int,
        layers: int,
        outputs: int,
        seed: int,
        learning_rate: float = 0.005,
        cell: str = "graves",
    ) -> ReferenceLstm:
        """Initialise the parameters randomly.

        Weights are normal with Glorot's variance, except that the input weights of the first layer have variance 1:
        a one-hot input selects a single one of them. The biases are 0, those of the forget gates 1.

        Parameters
        ----------
        inputs, outputs : int
            Number of input and output classes.
        hidden : int
            Units of each layer.
        layers : int
            Number of LSTM layers.
        seed : int
            Seed of the parameters.
        learning_rate : float
            Learning rate of Adam.
        cell : {"graves", "lstm"}
            With or without peepholes.
        """
        rng = np.random.default_rng(seed)
        stack: list[Layer] = []
        for size in [inputs] + [hidden] * (layers - 1):
            W = rng.normal(0, np.sqrt(2 / (size + hidden)) if stack else 1, (size, 4 * hidden))
            RW = rng.normal(0, np.sqrt(1 / hidden), (hidden, 4 * hidden + PEEPHOLE_COLUMNS[cell]))
            b = np.zeros((1, 4 * hidden))
            b[:, hidden : 2 * hidden] = 1
            stack.append(Layer(W, RW, b))
        output = Output(rng.normal(0, np.sqrt(2 / (hidden + outputs)), (hidden, outputs)), np.zeros(outputs))
        return cls(Network(tuple(stack), output), learning_rate)

    @classmethod
    def load(cls, path: Path) -> ReferenceLstm:
        """Read a model zip without Java; see `read_parameters`."""
        return cls(read_parameters(path))

    def run(self, x: Indices) -> Floats:
        """Return the predicted distribution at each sample, starting from the zero state.

        Parameters
        ----------
        x : ndarray of integers, shape (batch, n)
            Input classes.

        Returns
        -------
        ndarray of float64, shape (batch, n, classes)
        """
        return self._forward(x, zero_states(self.params, len(x))).probabilities.transpose(0, 2, 1)

    def step(self, x: Indices, y: Indices, first: bool) -> float:
        """Make one parameter update on one segment.

        Parameters
        ----------
        x, y : ndarray of integers, shape (batch, n)
            Classes of the input and of the target.
        first : bool
            Whether to start from the zero state instead of the state at the end of the previous segment.

        Returns
        -------
        float
            Cross-entropy in bits per sample before the update.
        """
        if first:
            self._states = zero_states(self.params, len(x))
        record = self._forward(x, self._states)
        self._states = record.states
        gradient, _ = backward(self.params, record, y)
        self.params = unpack_like(self._adam.step(pack(self.params), self._clipped(gradient)), self.params)
        return cross_entropy(record, y) / int(y.shape[1]) / math.log(2)

    def fit(self, x: Indices, y: Indices, steps: int, tbptt: int) -> list[float]:
        """Train on consecutive segments; after the last segment, continue with the first.

        Parameters
        ----------
        x, y : ndarray of integers, shape (batch, n)
            Classes of the input and of the target.
        steps : int
            Number of updates.
        tbptt : int
            Time steps in a segment.

        Returns
        -------
        list of float
            Cross-entropy in bits per sample before each update.
        """
        starts = islice(cycle(range(0, x.shape[1], tbptt)), steps)
        return [self.step(x[:, t : t + tbptt], y[:, t : t + tbptt], first=t == 0) for t in starts]

    def _forward(self, x: Indices, states: list[State]) -> Record:
        return forward(self.params, one_hot(x, len(self.params.layers[0].W)), states)

    def _clipped(self, gradient: Floats) -> Floats:
        if not self._clip:
            return gradient
        parts = unpack_like(gradient, self.params)
        for layer in (*parts.layers, parts.output):
            norm = np.sqrt(sum(float(np.sum(block**2)) for block in layer))
            for block in layer:
                block *= min(1.0, self._clip / norm) if norm else 1.0
        return pack(parts)


@dataclass
class Adam:
    """DL4J's Adam (``AdamUpdater``), which adds epsilon before it corrects the bias of the second moment."""

    rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    steps: int = 0
    mean: Floats | float = 0.0
    square: Floats | float = 0.0

    def step(self, flat: Floats, gradient: Floats) -> Floats:
        """Return the parameters after an update.

        Parameters
        ----------
        flat, gradient : ndarray of float64, shape (n,)
            Parameters and gradient of the loss.
        """
        self.steps += 1
        self.mean = self.beta1 * self.mean + (1 - self.beta1) * gradient
        self.square = self.beta2 * self.square + (1 - self.beta2) * gradient**2
        rate = self.rate * np.sqrt(1 - self.beta2**self.steps) / (1 - self.beta1**self.steps)
        return np.asarray(flat - rate * self.mean / (np.sqrt(self.square) + self.epsilon))
