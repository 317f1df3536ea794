"""The interface of all baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch

Signal = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

# Number of samples in a block, which bounds the memory for float samples of a long recording.
BLOCK = 1 << 16


@dataclass(frozen=True)
class Prediction:
    """Output of a baseline for a stretch.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Sample values before de-emphasis.
    classes : ndarray of uint8, shape (n,), or None
        Most probable class, or class of the value; None if the signal has no classes.
    probabilities : ndarray of float32, shape (n, 256), or None
        Probability of each class; None if the baseline does not predict a distribution.
    """

    values: Signal
    classes: npt.NDArray[np.uint8] | None = None
    probabilities: npt.NDArray[np.float32] | None = None

    def last(self, count: int) -> Prediction:
        """Return the prediction of the last `count` samples."""
        start = len(self.values) - count
        parts = (None if part is None else part[start:] for part in (self.values, self.classes, self.probabilities))
        return Prediction(*parts)  # type: ignore[arg-type]


def blocks(stretches: list[Stretch], memory: int = 0) -> Iterator[Stretch]:
    """Yield blocks (x, y) of stretches; x starts `memory` samples before y, or at the start of its stretch."""
    for x, y in stretches:
        for start in range(0, len(x), BLOCK):
            end = start + BLOCK
            yield x[max(start - memory, 0) : end], y[start:end]


def kept(stored: Arrays, name: str) -> Arrays:
    """Select the arrays of the baseline `name` from those in a model file, for `Baseline.restore`."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): array for key, array in stored.items() if key.startswith(prefix)}


class Baseline(ABC):
    """A model without a network: fitted once, then applied to any stretch.

    Parameters
    ----------
    codec
        Codec of the signals, which are class indices (uint8); None if they are float samples.

    Attributes
    ----------
    name
        Name in tables, in JSON and in the model file.
    fitted
        Names of the attributes that hold the fitted parameters, all of them arrays; none if there is nothing to fit.
    memory
        Number of samples before a stretch that `predict` uses.
    """

    name: str
    fitted: tuple[str, ...] = ()
    memory: int = 0

    def __init__(self, codec: Codec | None = None) -> None:
        self._codec = codec

    @property
    def codec(self) -> Codec:
        """The codec, for baselines that require class indices."""
        assert self._codec is not None, f"{self.name} requires class indices"
        return self._codec

    def decode(self, signal: Signal) -> Floats:
        """Return float samples of a stretch, before de-emphasis."""
        return np.asarray(signal, np.float64) if self._codec is None else self._codec.decode(signal)

    @abstractmethod
    def fit(self, stretches: list[Stretch]) -> None:
        """Fit to pairs of (input, target) of equal length."""

    @abstractmethod
    def predict(self, x: Signal) -> Prediction:
        """Predict the target of each sample of `x`; the past of the first `memory` samples is incomplete."""

    @property
    def parameters(self) -> int:
        """Number of fitted parameters."""
        return sum(array.size for array in self.arrays().values())

    def arrays(self) -> Arrays:
        """Return the fitted parameters by name, for the model file."""
        return {name: getattr(self, name) for name in self.fitted}

    def restore(self, arrays: Arrays) -> None:
        """Set the fitted parameters to those that `arrays` returned."""
        for name in self.fitted:
            setattr(self, name, arrays[name])
