"""A first-order pre-emphasis filter and its exact inverse, block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


class PreEmphasis:
    """y[t] = (x[t] - a x[t-1]) / (1 + a) over blocks; the division keeps -1 to 1 within -1 to 1.

    Parameters
    ----------
    coefficient
        a; 0 passes everything through.
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
    """The inverse of `PreEmphasis`: x[t] = (1 + a) y[t] + a x[t-1], over blocks."""

    def __init__(self, coefficient: float) -> None:
        self._a = coefficient
        self._state = np.zeros(1)

    def push(self, y: npt.NDArray[np.floating]) -> Floats:
        emphasised = np.asarray(y, np.float64)
        if not self._a or not len(emphasised):
            return emphasised
        from scipy.signal import lfilter

        x, self._state = lfilter([1 + self._a], [1.0, -self._a], emphasised, zi=self._state)
        return np.asarray(x, np.float64)
