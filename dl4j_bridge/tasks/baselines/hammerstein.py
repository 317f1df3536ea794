"""A curve and a filter in one: what an effect with memory and distortion comes to without a network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Signal, blocks
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline

Floats = npt.NDArray[np.float64]


class Hammerstein(GaussianBaseline):
    """y[t] = sum_k f_k(x[t - k]): a curve in front of a filter, where every tap may have a curve of its own.

    The curves are piecewise linear in the class index, so the least-squares problem is linear. Its normal equations
    need only how often two classes stand so many samples apart: all Gram blocks of one lag difference are the same
    histogram, as in the autocorrelation method for filters. A small ridge decides what the data do not.
    """

    name = "hammerstein"
    TAPS = 32
    KNOTS = 33
    RIDGE = 1e-6
    memory = TAPS - 1

    def fit(self, stretches: list[Stretch]) -> None:
        values, hats = self.codec.values, _hats(self.KNOTS)
        auto = np.zeros((self.TAPS, CLASSES, CLASSES))
        cross = np.zeros((self.TAPS, CLASSES))
        count, total = 0, 0.0
        for _, y in blocks(stretches):
            count += y.size
            total += float(values[y].sum())
        self._offset = total / count
        for x, y in blocks(stretches, self.memory):
            past, wanted = x.astype(np.int64), values[y] - self._offset
            for lag in range(self.TAPS):
                there = min(y.size, x.size - lag)
                before = past[x.size - lag - there : x.size - lag]
                pairs = past[x.size - there :] * CLASSES + before
                auto[lag] += np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
                cross[lag] += np.bincount(before, wanted[y.size - there :], CLASSES)
        self._curves = _solve(hats.T @ auto @ hats, cross @ hats, self.RIDGE) @ hats.T
        self._fit_deviation(stretches)

    def values(self, x: Signal) -> Floats:
        values = np.full(x.size, self._offset)
        for lag, curve in enumerate(self._curves[: x.size]):
            values[lag:] += curve[x[: x.size - lag]]
        return values

    def arrays(self) -> Arrays:
        return super().arrays() | {"curves": self._curves, "offset": np.array([self._offset])}

    def restore(self, arrays: Arrays) -> None:
        super().restore(arrays)
        self._curves = arrays["curves"]
        self._offset = float(arrays["offset"][0])


def _hats(knots: int) -> Floats:
    """How much of each knot's height a class takes: linear in between; shape (256, knots), rows sum to 1."""
    at = np.linspace(0, CLASSES - 1, knots)
    return np.stack([np.interp(np.arange(CLASSES), at, row) for row in np.eye(knots)], axis=1)


def _solve(auto: Floats, cross: Floats, ridge: float) -> Floats:
    """Heights of all knots at all taps; `auto[d][i, j]` counts knot i d samples after knot j; shape (taps, knots)."""
    from scipy.linalg import solve

    taps, knots = cross.shape
    gram = np.empty((taps, knots, taps, knots))
    for k in range(taps):
        for m in range(taps):
            gram[k, :, m] = auto[m - k] if m >= k else auto[k - m].T
    flat = gram.reshape(taps * knots, taps * knots)
    flat[np.diag_indices_from(flat)] += ridge * np.trace(flat) / len(flat)
    return np.asarray(solve(flat, cross.ravel(), assume_a="pos").reshape(taps, knots))
