"""An LSTM in PyTorch with any activation in its layers and at its output, to see what each does to the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sides import pytorch

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cell:
    """What is trained; ``tanh``, ``relu`` and ``linear`` are activations.

    The start is DL4J's: XAVIER weights and a forget-gate bias of 1. Nothing is clipped.
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
    """A step: mean squared error before it, and the L2 norm of the gradient of DL4J's loss (summed over time)."""

    loss: float
    gradient: float


def updates(cell: Cell, x: Vectors, y: Vectors, steps: int) -> list[Update]:
    """Train on random segments of two signals, float32 of shape (n, frame), until the loss is not finite any more.

    Raises
    ------
    sides.Missing
        PyTorch is not installed.
    """
    torch = pytorch(1)
    torch.manual_seed(cell.seed)
    rng = np.random.default_rng(cell.seed)
    network = _Network(torch, cell, x.shape[1])
    optimiser = getattr(torch.optim, cell.updater)(network.parameters, lr=cell.learning_rate)
    made: list[Update] = []
    for _ in range(steps):
        starts = rng.integers(0, len(x) - cell.segment + 1, cell.batch)
        heard, wanted = (torch.tensor(np.stack([s[at : at + cell.segment] for at in starts], 1)) for s in (x, y))
        optimiser.zero_grad()
        error = (network.run(heard) - wanted).square().mean()
        (error * cell.segment).backward()
        squares = sum(float(p.grad.double().square().sum()) for p in network.parameters)
        optimiser.step()
        made.append(Update(error.item(), squares**0.5))
        if not np.isfinite(made[-1].loss + made[-1].gradient):
            break
    return made


class _Network:
    """Layers of gates under a dense output; time comes first."""

    def __init__(self, torch: Any, cell: Cell, frame: int) -> None:
        def drawn(rows: int, columns: int) -> Any:
            return (torch.randn(rows, columns) * (2 / (rows + columns)) ** 0.5).requires_grad_()

        size = cell.hidden
        self._layers = []
        for number in range(cell.layers):
            bias = torch.cat([torch.zeros(size), torch.ones(size), torch.zeros(2 * size)]).requires_grad_()
            self._layers.append((drawn(size if number else frame, 4 * size), drawn(size, 4 * size), bias))
        self._output = drawn(size, frame)
        self._torch = torch
        known = {"tanh": torch.tanh, "relu": torch.relu, "linear": lambda value: value}
        self._act, self._act_at_output = known[cell.layer], known[cell.output]
        self.parameters = [p for layer in self._layers for p in layer] + [self._output]

    def run(self, x: Any) -> Any:
        torch = self._torch
        for weights, recurrent, bias in self._layers:
            said = cell = torch.zeros(x.shape[1], len(recurrent))
            outputs = []
            for heard in x @ weights + bias:
                block, forget, output, entry = (heard + said @ recurrent).chunk(4, 1)
                cell = torch.sigmoid(forget) * cell + torch.sigmoid(entry) * self._act(block)
                said = torch.sigmoid(output) * self._act(cell)
                outputs.append(said)
            x = torch.stack(outputs)
        return self._act_at_output(x @ self._output)
