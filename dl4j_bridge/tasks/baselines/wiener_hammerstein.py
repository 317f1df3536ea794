"""A filter, a curve and a filter: the block diagram of an amplifier or a pedal, fitted without a network."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks.baselines.base import Floats, Signal
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline


class WienerHammerstein(GaussianBaseline):
    """y = second * f(first * x): a curve between two FIR filters (Billings and Fakhouri, 1982).

    The curve is a cubic spline. Both filters and the curve are fitted together by the Gauss-Newton method with a trust
    region (`scipy.optimize.minimize`), on the loudest of windows that are evenly spread over the training part. The fit
    can end in a local optimum, so it starts twice, with the best linear filter before and after the curve, and
    continues from the better result.
    """

    name = "wiener-hammerstein"
    fitted = (*GaussianBaseline.fitted, "first", "heights", "second")
    TAPS = 48
    KNOTS = 17
    # Length of a window in samples.
    WINDOW = 512
    # Number of windows, of which the loudest quarter is used.
    WINDOWS = 64
    # Number of iterations from each start, and from the better result.
    FIRST, LAST = 6, 24

    def __init__(self, codec: Codec | None = None, taps: int = TAPS) -> None:
        super().__init__(codec)
        self._taps = taps
        self.memory = 2 * (taps - 1)

    def fit(self, stretches: list[Stretch]) -> None:
        x, y = self._windows(stretches)
        problem = _Problem(x, y, self._taps, self.KNOTS)
        linear, none = _best_filter(x, y, self._taps), np.eye(self._taps)[0]
        ends = [problem.solve(problem.start(*filters), self.FIRST) for filters in ((linear, none), (none, linear))]
        best = problem.solve(min(ends, key=problem.cost), self.LAST)
        self.first, self.heights, self.second = problem.split(best)
        self._fit_deviation(stretches)

    def _windows(self, stretches: list[Stretch]) -> tuple[Floats, Floats]:
        """Sample values of the loudest windows of x and y; those of x begin `memory` samples earlier.

        A stretch is preceded by silence.
        """
        size = min(self.WINDOW, min(x.size for x, _ in stretches))
        total = sum(x.size for x, _ in stretches)
        found: list[tuple[Floats, Floats]] = []
        for x, y in stretches:
            for at in starts(x.size, size, max(round(self.WINDOWS * x.size / total), 1)):
                before = self.decode(x[max(at - self.memory, 0) : at + size])
                padded = np.pad(before, (self.memory + size - before.size, 0))
                found.append((padded, self.decode(y[at : at + size])))
        found.sort(key=lambda window: float(np.sum(window[1] ** 2)), reverse=True)
        past, target = zip(*found[: max(self.WINDOWS // 4, 1)], strict=True)
        return np.stack(past), np.stack(target)

    def values(self, x: Signal) -> Floats:
        return _filtered(_curve(_filtered(self.decode(x), self.first), self.heights), self.second)


@dataclass
class _Problem:
    """The least-squares problem for a vector p of the parameters [first, heights, second].

    Attributes
    ----------
    x : ndarray of float64, shape (windows, memory + n)
        Input windows with their past.
    y : ndarray of float64, shape (windows, n)
        Target windows.
    taps
        Length of each filter in samples.
    knots
        Number of spline coefficients.
    """

    x: Floats
    y: Floats
    taps: int
    knots: int

    # Weight of the curvature penalty, which makes the curve straight at levels that do not occur. Its effect elsewhere
    # is far below the resolution of 8 bits.
    STRAIGHT = 1e-7

    def split(self, p: Floats) -> tuple[Floats, Floats, Floats]:
        return p[: self.taps], p[self.taps : self.taps + self.knots], p[self.taps + self.knots :]

    def start(self, first: Floats, second: Floats) -> Floats:
        """Scale two filters to the range of the spline, and append them to the best straight line as the curve."""
        loudest = np.abs(_filtered(self.x, first)).max()
        first = first / (1.25 * max(loudest, 1e-9))
        line = _line(self.knots)
        output = self._end(_filtered(_curve(_filtered(self.x, first), line), second))
        slope = float(np.sum(output * self.y)) / max(float(np.sum(output**2)), 1e-12)
        return np.concatenate([first, slope * line, second])

    def solve(self, p: Floats, iterations: int) -> Floats:
        """Minimize `cost` from `p`."""
        from scipy.optimize import minimize

        # The gradient and the second derivatives are requested one after the other for the same parameters.
        @lru_cache(1)
        def latest(parameters: bytes) -> tuple[Floats, Floats]:
            return self.derivatives(np.frombuffer(parameters))

        def gradient(p: Floats) -> Floats:
            return latest(p.tobytes())[0]

        def curvature(p: Floats) -> Floats:
            return latest(p.tobytes())[1]

        found = minimize(
            self.cost,
            p,
            jac=gradient,
            hess=curvature,
            method="trust-exact",
            options={"maxiter": iterations, "gtol": 1e-9},
        )
        return np.asarray(found.x, np.float64)

    def cost(self, p: Floats) -> float:
        """Half the error-to-signal ratio plus the curvature penalty."""
        first, heights, second = self.split(p)
        error = self._end(_filtered(_curve(_filtered(self.x, first), heights), second)) - self.y
        bends = np.diff(heights, 2)
        return float(np.sum(error**2) / self._energy + self.STRAIGHT * np.sum(bends**2)) / 2

    def derivatives(self, p: Floats) -> tuple[Floats, Floats]:
        """Gradient of the cost and the Gauss-Newton approximation of its second derivatives."""
        first, heights, second = self.split(p)
        levels = _filtered(self.x, first)
        basis = _basis(levels, self.knots)
        curved, slopes = basis @ heights, _basis(levels, self.knots, derivative=1) @ heights
        parts = [
            _filtered(slopes[..., None] * _past(self.x, self.taps), second),
            _filtered(basis, second),
            _past(curved, self.taps),
        ]
        jacobian = np.concatenate([self._end(part).reshape(self.y.size, -1) for part in parts], axis=1)
        error = (self._end(_filtered(curved, second)) - self.y).ravel()
        bend = np.zeros((self.knots - 2, p.size))
        bend[:, self.taps : self.taps + self.knots] = np.diff(np.eye(self.knots), 2, axis=0)
        return (
            jacobian.T @ error / self._energy + self.STRAIGHT * bend.T @ (bend @ p),
            jacobian.T @ jacobian / self._energy + self.STRAIGHT * bend.T @ bend,
        )

    @property
    def _energy(self) -> float:
        return max(float(np.sum(self.y**2)), 1e-12)

    def _end(self, values: Floats) -> Floats:
        """Drop the past of x, leaving the time steps of y."""
        return values[:, values.shape[1] - self.y.shape[1] :]


def _filtered(x: Floats, taps: Floats) -> Floats:
    """Apply a causal FIR filter over time: the second axis, or the only one."""
    from scipy.signal import oaconvolve

    axis = min(x.ndim - 1, 1)
    whole = oaconvolve(x, np.expand_dims(taps, [k for k in range(x.ndim) if k != axis]), axes=axis)
    return np.asarray(np.take(whole, np.arange(x.shape[axis]), axis), np.float64)


def _past(x: Floats, taps: int) -> Floats:
    """Return x[t - k] at [..., t, k], with zeros before the start."""
    padded = np.concatenate([np.zeros((len(x), taps - 1)), x], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, taps, axis=1)[..., ::-1]


def _spline_knots(heights: int) -> Floats:
    return np.pad(np.linspace(-1, 1, heights - 2), 3, "edge")


def _line(heights: int) -> Floats:
    """Coefficients of the line y = x: Greville's abscissae."""
    knots = _spline_knots(heights)
    return np.array([knots[i + 1 : i + 4].mean() for i in range(heights)])


def _basis(levels: Floats, heights: int, derivative: int = 0) -> Floats:
    """Evaluate all cubic B-splines or their slopes, constant outside -1 to 1; adds an axis of `heights` splines."""
    basis = _curve(levels, np.eye(heights), derivative)
    if derivative:
        basis[np.abs(levels) > 1] = 0
    return basis


def _curve(levels: Floats, heights: Floats, derivative: int = 0) -> Floats:
    from scipy.interpolate import BSpline

    return np.asarray(BSpline(_spline_knots(len(heights)), heights, 3)(np.clip(levels, -1, 1), nu=derivative))


def _best_filter(x: Floats, y: Floats, taps: int) -> Floats:
    """Compute the least-squares FIR filter from windows of x, with their past, to y."""
    past = _past(x, taps)[:, x.shape[1] - y.shape[1] :].reshape(y.size, taps)
    gram = past.T @ past
    # Without a ridge, quiet bands of the input make the equations singular.
    gram[np.diag_indices(taps)] *= 1 + 1e-6
    gram[np.diag_indices(taps)] += 1e-9
    return np.asarray(np.linalg.solve(gram, past.T @ y.ravel()), np.float64)
