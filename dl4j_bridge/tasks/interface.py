"""What a task is to the rest: the network's ends, and the way from recordings to them and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from dl4j_bridge.pairs import Pair

# A value of each time step: class indices, uint8 of shape (n,), or vectors, float32 of shape (n, width).
Signal = npt.NDArray[Any]
Stretch = tuple[Signal, Signal]
Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Interface:
    """Sizes and kinds of a network's input and output.

    Attributes
    ----------
    inputs, outputs
        Values at a time step.
    input
        ``one-hot``: the input is a class index, of which the network sees a one-hot vector. ``dense``: a vector.
    output
        ``softmax`` with cross-entropy against class indices, or ``linear`` or ``sigmoid`` with squared error against
        vectors.
    skip
        True adds the input to the output. DL4J's zip knows nothing of it.
    """

    inputs: int
    outputs: int
    input: str
    output: str
    skip: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of_classes(count: int) -> Interface:
        """Class indices in, a distribution over as many classes out."""
        return Interface(count, count, "one-hot", "softmax")

    @staticmethod
    def of_vectors(inputs: int, outputs: int, output: str = "linear", skip: bool = False) -> Interface:
        """Vectors in, vectors out."""
        return Interface(inputs, outputs, "dense", output, skip)


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
        """Weights of `Network.weigh_squared_error` for a segment of a batch; None for the usual loss."""

    def measure(self, outputs: Iterable[npt.NDArray[np.float32]], target: Signal) -> Metrics:
        """Compare the network's outputs, blocks of time steps, with what should have come out."""

    def bits_gained(self, before: float, now: float) -> float:
        """How much better a loss is than another, in bits per value."""
