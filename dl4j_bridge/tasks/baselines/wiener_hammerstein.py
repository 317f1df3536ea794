"""A filter, a curve, a filter: an amplifier's or a pedal's block diagram, fitted without a network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Signal
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline

Floats = npt.NDArray[np.float64]


class WienerHammerstein(GaussianBaseline):
    """y = second * f(first * x): a curve between two FIR filters (Billings and Fakhouri, 1982).

    The curve is a cubic spline. Both filters and the curve are fitted together by Gauss and Newton's method in a trust
    region (`scipy.optimize.minimize`), on the loudest of the windows that are spread over the training part. A fit can
    end in a local optimum, so there are two starts, the best linear filter in front of the curve and behind it, of
    which the better one goes on.
    """

    name = "wiener-hammerstein"
    TAPS = 48
    KNOTS = 17
    WINDOW = 512
    # Of so many windows the fit takes a quarter.
    WINDOWS = 64
    # Iterations that tell the better start, and those that it gets in the end.
    FIRST, LAST = 6, 24

    def __init__(self, codec: Codec | None = None, taps: int = TAPS) -> None:
        super().__init__(codec)
        self._taps = taps
        self.memory = 2 * (taps - 1)

    def fit(self, stretches: list[Stretch]) -> None:
        x, y = self._windows(stretches)
        problem = _Problem(x, y, self._taps, self.KNOTS)
        linear, none = _best_filter(x, y, self._taps), np.eye(self._taps)[0]
        starts = [problem.start(linear, none), problem.start(none, linear)]
        ends = [problem.solve(start, self.FIRST) for start in starts]
        best = problem.solve(min(ends, key=problem.cost), self.LAST)
        self._first, self._heights, self._second = problem.split(best)
        self._fit_deviation(stretches)

    def _windows(self, stretches: list[Stretch]) -> tuple[Floats, Floats]:
        """Values of the loudest windows; those of x begin `memory` samples earlier, with silence before a stretch."""
        size = min(self.WINDOW, min(x.size for x, _ in stretches))
        total = sum(x.size for x, _ in stretches)
        found: list[tuple[Floats, Floats]] = []
        for x, y in stretches:
            count = max(round(self.WINDOWS * x.size / total), 1)
            for at in np.linspace(0, x.size - size, count).astype(int):
                before = self.decode(x[max(at - self.memory, 0) : at + size])
                silence = np.zeros(self.memory + size - before.size)
                found.append((np.concatenate([silence, before]), self.decode(y[at : at + size])))
        found.sort(key=lambda window: float(np.sum(window[1] ** 2)), reverse=True)
        loudest = found[: max(self.WINDOWS // 4, 1)]
        return np.stack([x for x, _ in loudest]), np.stack([y for _, y in loudest])

    def values(self, x: Signal) -> Floats:
        levels = _filtered(self.decode(x), self._first)
        return _filtered(_curve(levels, self._heights), self._second)

    def arrays(self) -> Arrays:
        kept = {"first": self._first, "heights": self._heights, "second": self._second}
        return super().arrays() | kept

    def restore(self, arrays: Arrays) -> None:
        super().restore(arrays)
        self._first, self._heights, self._second = (arrays[name] for name in ("first", "heights", "second"))


@dataclass
class _Problem:
    """The least-squares problem: windows of x (with its past) and y, and a vector [first, heights, second]."""

    x: Floats
    y: Floats
    taps: int
    knots: int
    _linearised: tuple[bytes, Floats, Floats] = field(default=(b"", np.empty(0), np.empty(0)), repr=False)

    # Of unheard levels the curve goes on straight; far below what 8 bits show.
    STRAIGHT = 1e-7

    def split(self, p: Floats) -> tuple[Floats, Floats, Floats]:
        return p[: self.taps], p[self.taps : self.taps + self.knots], p[self.taps + self.knots :]

    def start(self, first: Floats, second: Floats) -> Floats:
        """Scale the filters to the spline's range, with the straight line that fits best as the curve."""
        loudest = np.abs(_filtered(self.x, first)).max()
        first = first / (1.25 * max(loudest, 1e-9))
        line = _line(self.knots)
        output = self._end(_filtered(_curve(_filtered(self.x, first), line), second))
        slope = float(np.sum(output * self.y)) / max(float(np.sum(output**2)), 1e-12)
        return np.concatenate([first, slope * line, second])

    def solve(self, p: Floats, iterations: int) -> Floats:
        from scipy.optimize import minimize

        found = minimize(
            self.cost,
            p,
            jac=self.gradient,
            hess=self.curvature,
            method="trust-exact",
            options={"maxiter": iterations, "gtol": 1e-9},
        )
        return np.asarray(found.x, np.float64)

    def cost(self, p: Floats) -> float:
        """Half the error-to-signal ratio, and a little for a curve that is not straight."""
        first, heights, second = self.split(p)
        error = self._end(_filtered(_curve(_filtered(self.x, first), heights), second)) - self.y
        bends = np.diff(heights, 2)
        return float(np.sum(error**2) / self._energy + self.STRAIGHT * np.sum(bends**2)) / 2

    def gradient(self, p: Floats) -> Floats:
        return self._normal(p)[0]

    def curvature(self, p: Floats) -> Floats:
        """Gauss and Newton's approximation of the cost's second derivatives."""
        return self._normal(p)[1]

    def _normal(self, p: Floats) -> tuple[Floats, Floats]:
        if p.tobytes() != self._linearised[0]:
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
            self._linearised = (
                p.tobytes(),
                jacobian.T @ error / self._energy + self.STRAIGHT * bend.T @ (bend @ p),
                jacobian.T @ jacobian / self._energy + self.STRAIGHT * bend.T @ bend,
            )
        return self._linearised[1:]

    @property
    def _energy(self) -> float:
        return max(float(np.sum(self.y**2)), 1e-12)

    def _end(self, values: Floats) -> Floats:
        """What stands at the times of y: all in front of it was there to fill the filters."""
        return values[:, values.shape[1] - self.y.shape[1] :]


def _filtered(x: Floats, taps: Floats) -> Floats:
    """Causal FIR over time: the only axis, else the second one."""
    from scipy.signal import oaconvolve

    axis = min(x.ndim - 1, 1)
    shape = [1] * x.ndim
    shape[axis] = -1
    whole = oaconvolve(x, taps.reshape(shape), axes=axis)
    return np.asarray(np.take(whole, np.arange(x.shape[axis]), axis), np.float64)


def _past(x: Floats, taps: int) -> Floats:
    """x[t - k] at [..., t, k]; zeros before the start."""
    padded = np.concatenate([np.zeros((len(x), taps - 1)), x], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, taps, axis=1)[..., ::-1]


def _spline_knots(heights: int) -> Floats:
    inner = np.linspace(-1, 1, heights - 2)
    return np.concatenate([[-1.0] * 3, inner, [1.0] * 3])


def _line(heights: int) -> Floats:
    """Heights of the straight line through the origin: Greville's abscissae."""
    knots = _spline_knots(heights)
    return np.array([knots[i + 1 : i + 4].mean() for i in range(heights)])


def _basis(levels: Floats, heights: int, derivative: int = 0) -> Floats:
    """Cubic B-splines on -1 to 1, constant beyond, or their slopes; an axis of `heights` more."""
    basis = _curve(levels, np.eye(heights), derivative)
    if derivative:
        basis[np.abs(levels) > 1] = 0
    return basis


def _curve(levels: Floats, heights: Floats, derivative: int = 0) -> Floats:
    from scipy.interpolate import BSpline

    return np.asarray(BSpline(_spline_knots(len(heights)), heights, 3)(np.clip(levels, -1, 1), nu=derivative))


def _best_filter(x: Floats, y: Floats, taps: int) -> Floats:
    """The least-squares FIR from windows of x, with its past, to y."""
    past = _past(x, taps)[:, x.shape[1] - y.shape[1] :].reshape(y.size, taps)
    gram = past.T @ past
    # Quiet bands of the input would make the equations singular.
    gram[np.diag_indices(taps)] *= 1 + 1e-6
    gram[np.diag_indices(taps)] += 1e-9
    return np.asarray(np.linalg.solve(gram, past.T @ y.ravel()), np.float64)
