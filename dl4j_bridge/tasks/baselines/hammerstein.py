"""Curves and a filter in one: an effect with distortion and memory, fitted without a network."""

import numpy as np

from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Floats, Signal, blocks
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline


class Hammerstein(GaussianBaseline):
    """y[t] = sum_k f_k(x[t - k]): a curve before a filter, with a separate curve for each tap.

    The curves are piecewise linear in the class index, so the least-squares problem is linear. Its normal equations
    need only the number of times that two classes occur at a given distance: all Gram blocks with the same difference
    between lags are the same histogram, as in the autocorrelation method for filters. A small ridge makes the solution
    unique.
    """

    name = "hammerstein"
    fitted = (*GaussianBaseline.fitted, "curves", "offset")
    TAPS = 32
    KNOTS = 33
    RIDGE = 1e-6
    memory = TAPS - 1

    def fit(self, stretches: list[Stretch]) -> None:
        values, hats = self.codec.values, _hats(self.KNOTS)
        auto = np.zeros((self.TAPS, CLASSES, CLASSES))
        cross = np.zeros((self.TAPS, CLASSES))
        total = sum(float(values[y].sum()) for _, y in blocks(stretches))
        self.offset = np.array([total / sum(y.size for _, y in stretches)])
        for x, y in blocks(stretches, self.memory):
            past, wanted = x.astype(np.int64), values[y] - self.offset
            for lag in range(self.TAPS):
                there = min(y.size, x.size - lag)
                before = past[x.size - lag - there : x.size - lag]
                pairs = past[x.size - there :] * CLASSES + before
                auto[lag] += np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
                cross[lag] += np.bincount(before, wanted[y.size - there :], CLASSES)
        self.curves = _solve(hats.T @ auto @ hats, cross @ hats, self.RIDGE) @ hats.T
        self._fit_deviation(stretches)

    def values(self, x: Signal) -> Floats:
        values = np.full(x.size, self.offset)
        for lag, curve in enumerate(self.curves[: x.size]):
            values[lag:] += curve[x[: x.size - lag]]
        return values


def _hats(knots: int) -> Floats:
    """Weights of linear interpolation between knots for each class; shape (256, knots), rows sum to 1."""
    at = np.linspace(0, CLASSES - 1, knots)
    return np.stack([np.interp(np.arange(CLASSES), at, row) for row in np.eye(knots)], axis=1)


def _solve(auto: Floats, cross: Floats, ridge: float) -> Floats:
    """Solve the normal equations for the heights of the knots.

    Parameters
    ----------
    auto : ndarray of float64, shape (taps, knots, knots)
        ``auto[d, i, j]`` is the weight with which knot i occurs d samples after knot j.
    cross : ndarray of float64, shape (taps, knots)
        Correlation of the target with each knot at each lag.
    ridge
        Addition to the diagonal, as a share of its mean.

    Returns
    -------
    ndarray of float64, shape (taps, knots)
    """
    from scipy.linalg import solve

    taps = len(cross)
    rows = [[auto[m - k] if m >= k else auto[k - m].T for m in range(taps)] for k in range(taps)]
    gram = np.block(rows)
    gram[np.diag_indices_from(gram)] += ridge * np.trace(gram) / len(gram)
    return np.asarray(solve(gram, cross.ravel(), assume_a="pos").reshape(cross.shape))
