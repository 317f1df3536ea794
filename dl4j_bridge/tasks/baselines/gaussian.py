"""Baselines that predict a value with a Gaussian distribution around it."""

import math
from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import CLASSES, SILENCE, Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Floats, Prediction, Signal, blocks

# Share of the probability that is distributed evenly over all classes, which keeps the cross-entropy finite.
UNIFORM_SHARE = 1e-3


class GaussianBaseline(Baseline):
    """Predicts a value, and class probabilities from a Gaussian around it with the standard deviation of the residual.

    Without a codec, for float samples, only the value is predicted.
    """

    fitted: tuple[str, ...] = ("deviation",)

    @abstractmethod
    def values(self, x: Signal) -> Floats:
        """Predict the sample value for each sample of `x`."""

    def _fit_deviation(self, stretches: list[Stretch]) -> None:
        """Set `deviation` to the root-mean-square residual, but at least to the rounding error of 8 bits."""
        residual, count = 0.0, 0
        for x, y in blocks(stretches, self.memory):
            residual += float(np.sum((self.decode(y) - self.values(x)[-len(y) :]) ** 2))
            count += len(y)
        rounding = 1 / (4 * self._codec.scale) if self._codec else 0.0
        self.deviation = np.array([max(math.sqrt(residual / count), rounding)])

    def predict(self, x: Signal) -> Prediction:
        values = self.values(x)
        if self._codec is None:
            return Prediction(values)
        return Prediction(values, self.codec.encode(values), masses(self.codec, values, self.deviation))


def masses(codec: Codec, values: Floats, deviation: Floats) -> npt.NDArray[np.float32]:
    """Compute the probability of each class: the mass of a Gaussian between the decision thresholds of the class.

    Parameters
    ----------
    codec
        Codec with the thresholds.
    values : ndarray of float64, shape (n,)
        Means of the Gaussians.
    deviation : ndarray of float64, shape (1,)
        Standard deviation of the Gaussians.

    Returns
    -------
    ndarray of float32, shape (n, 256)
        Probabilities; each row sums to 1.
    """
    from scipy.special import ndtr

    levels = np.arange(0.5 - SILENCE, SILENCE - 1, dtype=np.float64) / codec.scale
    thresholds = codec.expand(levels)
    # Mu-law has a class below -1, which `Codec.encode` never returns.
    thresholds[levels < -1] = -np.inf
    below = ndtr((thresholds - values[:, None]) / deviation)
    edges = np.concatenate([np.zeros((values.size, 1)), below, np.ones((values.size, 1))], axis=1)
    return ((1 - UNIFORM_SHARE) * np.diff(edges, axis=1) + UNIFORM_SHARE / CLASSES).astype(np.float32)
