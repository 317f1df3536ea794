"""Baselines that predict a value; class probabilities are those of a Gaussian around it."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import CLASSES, SILENCE, Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Prediction, Signal, blocks

# Share of the probability that is spread over all classes, so that no sample costs infinitely many bits.
UNIFORM_SHARE = 1e-3


class GaussianBaseline(Baseline):
    """Predicts a value; class probabilities are those of a Gaussian around it, with the residual's deviation.

    Signals that are float samples (no codec) have values only.
    """

    @abstractmethod
    def values(self, x: Signal) -> npt.NDArray[np.float64]:
        """The predicted sample value of every sample of `x`."""

    def _fit_deviation(self, stretches: list[Stretch]) -> None:
        """Store the root-mean-square residual, but at least the error of rounding to 8 bits."""
        residual, count = 0.0, 0
        for x, y in blocks(stretches, self.memory):
            residual += float(np.sum((self.decode(y) - self.values(x)[-len(y) :]) ** 2))
            count += len(y)
        self._deviation = max(math.sqrt(residual / count), 1 / (4 * self.codec.scale) if self._codec else 0.0)

    def predict(self, x: Signal) -> Prediction:
        values = self.values(x)
        if self._codec is None:
            return Prediction(values)
        return Prediction(values, self.codec.encode(values), masses(self.codec, values, self._deviation))

    def arrays(self) -> Arrays:
        return {"deviation": np.array([self._deviation])}

    def restore(self, arrays: Arrays) -> None:
        self._deviation = float(arrays["deviation"][0])


def masses(codec: Codec, values: npt.NDArray[np.float64], deviation: float) -> npt.NDArray[np.float32]:
    """Probability of each class: the Gaussian's mass between its decision thresholds.

    Parameters
    ----------
    codec
        Gives the thresholds.
    values : ndarray of float64, shape (n,)
        Centres.
    deviation
        Standard deviation.

    Returns
    -------
    ndarray of float32, shape (n, 256)
        Rows sum to 1.
    """
    from scipy.special import ndtr

    levels = np.arange(0.5 - SILENCE, SILENCE - 1, dtype=np.float64) / codec.scale
    thresholds = codec.expand(levels)
    # Nothing is encoded below -1, where mu-law has a class of its own.
    thresholds[levels < -1] = -np.inf
    below = ndtr((thresholds - values[:, None]) / deviation)
    edges = np.concatenate([np.zeros((values.size, 1)), below, np.ones((values.size, 1))], axis=1)
    return ((1 - UNIFORM_SHARE) * np.diff(edges, axis=1) + UNIFORM_SHARE / CLASSES).astype(np.float32)
