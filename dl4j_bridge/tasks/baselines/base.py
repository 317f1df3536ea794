"""The one interface of all baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codec import Codec

Indices = npt.NDArray[np.uint8]
Stretch = tuple[Indices, Indices]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Prediction:
    """What a baseline says of a stretch.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Sample values in front of de-emphasis.
    classes : ndarray of uint8, shape (n,)
        The class to bet on: the likeliest one, or that of the value.
    probabilities : ndarray of float32, shape (n, 256), or None
        None where the baseline has no distribution, and so no bits.
    """

    values: npt.NDArray[np.float64]
    classes: Indices
    probabilities: npt.NDArray[np.float32] | None


# Samples that a baseline works on at a time: its floats are not to outgrow the bytes that they come from.
BLOCK = 1 << 16


def blocks(stretches: list[Stretch], memory: int = 0) -> Iterator[tuple[Indices, Indices]]:
    """Cut stretches into blocks (x, y); x starts `memory` samples before y, or at the start of its stretch."""
    for x, y in stretches:
        for start in range(0, x.size, BLOCK):
            end = start + BLOCK
            yield x[max(start - memory, 0) : end], y[start:end]


def kept(stored: Arrays, name: str) -> Arrays:
    """Give what a model file keeps of the baseline `name`, as `Baseline.restore` takes it; empty if it has none."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): array for key, array in stored.items() if key.startswith(prefix)}


class Baseline(ABC):
    """Fitted once, then applied to any stretch.

    Attributes
    ----------
    name
        In tables and JSON.
    memory
        Samples before a stretch that `predict` wants to see as well.
    """

    name: str
    memory: int = 0

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    @abstractmethod
    def fit(self, stretches: list[Stretch]) -> None:
        """Learn from pairs of (input, target), uint8 of equal length."""

    @abstractmethod
    def predict(self, x: Indices) -> Prediction:
        """Predict the target of every sample of `x`, the first `memory` of them from what is there."""

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(array.size for array in self.arrays().values())

    @abstractmethod
    def arrays(self) -> Arrays:
        """What was learnt, to be kept in the model file."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> None:
        """Take back what `arrays` gave."""
