"""What a task is to the rest: the network's ends, and the way from recordings to them and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.signal.pairs import Pair

# A value of each time step: class indices, uint8 of shape (n,), or vectors, float32 of shape (n, width).
Signal = npt.NDArray[Any]
Stretch = tuple[Signal, Signal]
Metrics = dict[str, float | None]


class Task(Protocol):
    """What training, processing and reports ask of a task.

    Attributes
    ----------
    name
        Of ``--task``.
    loss
        The value of `measure` that training brings down.
    learnt, judged
        Values of `of_step` and of `measure` that are logged.
    solved
        A loss at which nothing is left to learn.
    predicts
        ``target``: the processed recording. ``next``: what comes next in the same recording.
    hop
        Samples of a recording in a time step.
    """

    name: ClassVar[str]
    loss: ClassVar[str]
    learnt: ClassVar[tuple[str, ...]]
    judged: ClassVar[tuple[str, ...]]
    solved: ClassVar[float]

    @property
    def predicts(self) -> str: ...

    @property
    def hop(self) -> int: ...

    @property
    def interface(self) -> Interface: ...

    def as_dict(self) -> dict[str, Any]:
        """What a model file says of the task."""

    def in_words(self) -> str:
        """What to say of it before training."""

    def signals(self, pair: Pair) -> Stretch:
        """Input and target of a pair, time step by time step, the delay cut out."""

    def of_step(self, loss: float, accuracy: float) -> dict[str, float]:
        """Values of a training step by name, from what `Network.step` gave."""

    def weigh(self, target: Signal) -> tuple[float, float, float] | None:
        """Weights of `Network.set_loss_weights` for a segment of a batch; None for the usual loss."""

    def measure(self, outputs: Iterable[npt.NDArray[np.float32]], target: Signal) -> Metrics:
        """Compare the network's outputs, blocks of time steps, with what should have come out."""

    def bits_gained(self, before: float, now: float) -> float:
        """How much better a loss is than another, in bits per value."""
