"""A first-order pre-emphasis filter and its exact inverse, both applied block by block."""

from __future__ import annotations

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
        self._last = 0.0

    def push(self, x: npt.NDArray[np.floating]) -> Floats:
        samples = np.asarray(x, np.float64)
        if not self._a or not len(samples):
            return samples
        before = np.concatenate([[self._last], samples[:-1]])
        self._last = float(samples[-1])
        return (samples - self._a * before) / (1 + self._a)


class DeEmphasis:
    """The inverse of `PreEmphasis`: x[t] = (1 + a) y[t] + a x[t-1]."""

    def __init__(self, coefficient: float) -> None:
        self._a = coefficient
        self._state = np.zeros(1)

    def push(self, y: npt.NDArray[np.floating]) -> Floats:
        samples = np.asarray(y, np.float64)
        if not self._a or not len(samples):
            return samples
        from scipy.signal import lfilter

        x, self._state = lfilter([1 + self._a], [1.0, -self._a], samples, zi=self._state)
        return np.asarray(x, np.float64)
