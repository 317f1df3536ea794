"""A PyTorch LSTM with any activation in its layers and output, to measure the effect of each on the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sides import pytorch

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cell:
    """The network to train; its activations are ``tanh``, ``relu`` or ``linear``.

    The initialization is DL4J's: XAVIER weights and a forget-gate bias of 1. The gradient is not clipped.
    """

    layer: str = "tanh"
    output: str = "linear"
    layers: int = 3
    hidden: int = 32
    segment: int = 50
    batch: int = 8
    updater: str = "RMSprop"
    learning_rate: float = 0.003
    seed: int = 1


@dataclass(frozen=True)
class Update:
    """An update: mean squared error before it, and L2 norm of the gradient of DL4J's loss (summed over time)."""

    loss: float
    gradient: float


def updates(cell: Cell, x: Vectors, y: Vectors, steps: int) -> list[Update]:
    """Train on random segments of two signals, float32 of shape (n, frame), for as long as the loss is finite.

    Raises
    ------
    sides.Missing
        PyTorch is not installed.
    """
    torch = pytorch(1)
    torch.manual_seed(cell.seed)
    rng = np.random.default_rng(cell.seed)
    network = _Network(torch, cell, x.shape[1])
    optimizer = getattr(torch.optim, cell.updater)(network.parameters, lr=cell.learning_rate)
    made: list[Update] = []
    for _ in range(steps):
        starts = rng.integers(0, len(x) - cell.segment + 1, cell.batch)
        inputs, targets = (torch.tensor(np.stack([s[at : at + cell.segment] for at in starts], 1)) for s in (x, y))
        optimizer.zero_grad()
        error = (network.run(inputs) - targets).square().mean()
        (error * cell.segment).backward()
        squares = sum(float(p.grad.double().square().sum()) for p in network.parameters)
        optimizer.step()
        made.append(Update(error.item(), squares**0.5))
        if not np.isfinite(made[-1].loss + made[-1].gradient):
            break
    return made


class _Network:
    """LSTM layers and a dense output layer; the first axis is time."""

    def __init__(self, torch: Any, cell: Cell, frame: int) -> None:
        def xavier(rows: int, columns: int) -> Any:
            return (torch.randn(rows, columns) * (2 / (rows + columns)) ** 0.5).requires_grad_()

        size = cell.hidden
        self._layers = []
        for number in range(cell.layers):
            bias = torch.cat([torch.zeros(size), torch.ones(size), torch.zeros(2 * size)]).requires_grad_()
            self._layers.append((xavier(size if number else frame, 4 * size), xavier(size, 4 * size), bias))
        self._output = xavier(size, frame)
        self._torch = torch
        functions = {"tanh": torch.tanh, "relu": torch.relu, "linear": lambda value: value}
        self._act, self._act_at_output = functions[cell.layer], functions[cell.output]
        self.parameters = [p for layer in self._layers for p in layer] + [self._output]

    def run(self, x: Any) -> Any:
        torch = self._torch
        for weights, recurrent, bias in self._layers:
            hidden = cell = torch.zeros(x.shape[1], len(recurrent))
            outputs = []
            for projected in x @ weights + bias:
                block, forget, output, entry = (projected + hidden @ recurrent).chunk(4, 1)
                cell = torch.sigmoid(forget) * cell + torch.sigmoid(entry) * self._act(block)
                hidden = torch.sigmoid(output) * self._act(cell)
                outputs.append(hidden)
            x = torch.stack(outputs)
        return self._act_at_output(x @ self._output)
