"""A first-order pre-emphasis filter and its exact inverse, both applied block by block."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


class PreEmphasis:
    """y[t] = (x[t] - a x[t-1]) / (1 + a); the division keeps values between -1 and 1 in that range.

    Parameters
    ----------
    coefficient
        The coefficient a; 0 returns the input.
    """

    def __init__(self, coefficient: float) -> None:
        self._a = coefficient
        self._state: Floats = np.zeros(1)

    def push(self, x: npt.NDArray[np.floating]) -> Floats:
        samples = np.asarray(x, np.float64)
        return self._filtered(samples) if self._a and len(samples) else samples

    def _filtered(self, x: Floats) -> Floats:
        before = np.concatenate([self._state, x[:-1]])
        self._state = x[-1:].copy()
        return (x - self._a * before) / (1 + self._a)


class DeEmphasis(PreEmphasis):
    """The inverse of `PreEmphasis`: x[t] = (1 + a) y[t] + a x[t-1]."""

    def _filtered(self, x: Floats) -> Floats:
        from scipy.signal import lfilter

        y, self._state = lfilter([1 + self._a], [1.0, -self._a], x, zi=self._state)
        return np.asarray(y, np.float64)
