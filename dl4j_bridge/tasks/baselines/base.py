"""The interface of all baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch

Signal = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

# Samples per block: the floats of a block must not outgrow the bytes of a long recording.
BLOCK = 1 << 16


@dataclass(frozen=True)
class Prediction:
    """A baseline's output for a stretch.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Sample values before de-emphasis.
    classes : ndarray of uint8, shape (n,), or None
        The most probable class, or that of the value; None where the signal has no classes.
    probabilities : ndarray of float32, shape (n, 256), or None
        None where the baseline has no distribution, and so no bits.
    """

    values: Signal
    classes: npt.NDArray[np.uint8] | None = None
    probabilities: npt.NDArray[np.float32] | None = None

    def last(self, count: int) -> Prediction:
        """The last `count` samples."""
        start = len(self.values) - count
        parts = (None if part is None else part[start:] for part in (self.values, self.classes, self.probabilities))
        return Prediction(*parts)  # type: ignore[arg-type]


def blocks(stretches: list[Stretch], memory: int = 0) -> Iterator[Stretch]:
    """Cut stretches into blocks (x, y); x starts `memory` samples before y, or at the start of its stretch."""
    for x, y in stretches:
        for start in range(0, len(x), BLOCK):
            end = start + BLOCK
            yield x[max(start - memory, 0) : end], y[start:end]


def kept(stored: Arrays, name: str) -> Arrays:
    """The arrays that a model file stores of the baseline `name`, as `Baseline.restore` takes them."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): array for key, array in stored.items() if key.startswith(prefix)}


class Baseline(ABC):
    """A model without a network: fitted once, then applied to any stretch.

    Parameters
    ----------
    codec
        Codec of the signals, which are class indices (uint8); None if they are float samples already.

    Attributes
    ----------
    name
        Name in tables, in JSON and in the model file.
    memory
        Number of samples before a stretch that `predict` takes into account.
    learns
        False if there is nothing to fit.
    """

    name: ClassVar[str]
    memory: int = 0
    learns: ClassVar[bool] = True

    def __init__(self, codec: Codec | None = None) -> None:
        self._codec = codec

    @property
    def codec(self) -> Codec:
        """The codec, for baselines that are made for class indices only."""
        assert self._codec is not None, f"{self.name} wants classes"
        return self._codec

    def decode(self, signal: Signal) -> Floats:
        """Float samples of a stretch, before de-emphasis."""
        return np.asarray(signal, np.float64) if self._codec is None else self._codec.decode(signal)

    @abstractmethod
    def fit(self, stretches: list[Stretch]) -> None:
        """Fit to pairs of (input, target) of equal length."""

    @abstractmethod
    def predict(self, x: Signal) -> Prediction:
        """Predict the target of every sample of `x`; the first `memory` samples lack a part of their past."""

    @property
    def parameters(self) -> int:
        """Number of fitted parameters."""
        return sum(array.size for array in self.arrays().values())

    @abstractmethod
    def arrays(self) -> Arrays:
        """The fitted parameters, for the model file."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> None:
        """Restore what `arrays` returned."""
