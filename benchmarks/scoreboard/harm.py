"""How much a change does to a target, as the share of its energy that no fixed filter brings back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from scoreboard.sounds import Floats

# Lags of the filter, in samples: a little of the future, and a memory of 96 samples.
FIRST, LAST = -32, 96
# Share of the energy that is added to the diagonal, so that silent bands are not amplified.
RIDGE = 1e-7
# Steps of the search for an amount, and how closely the harm must be met.
STEPS, CLOSE = 12, 0.03


def unexplained(healthy: Floats, changed: Floats, first: int = FIRST, last: int = LAST) -> float:
    """ESR of the best fixed filter from the healthy target to the changed one.

    The filter stands for a network that already models the effect: what such a filter can undo or imitate (a gain, a
    delay, an equalizer) costs the network nothing that it could not learn, and what is left over is the error that
    every model of the changed pair keeps. With ``first=0`` the filter is causal.
    """
    n = min(healthy.size, changed.size)
    x, y = healthy[:n], changed[:n]
    energy = float(np.dot(y, y))
    if not energy or not x.any():
        return 0.0
    size = fft.next_fast_len(n + last - first, real=True)
    spectrum = fft.rfft(x, size)
    auto = fft.irfft(np.abs(spectrum) ** 2, size)[: last - first]
    cross = fft.irfft(np.conj(spectrum) * fft.rfft(y, size), size)[np.arange(first, last)]
    auto[0] *= 1 + RIDGE
    taps = solve_toeplitz(auto, cross)
    padded = lfilter(taps, [1.0], np.r_[x, np.zeros(-first)])[-first:]
    return float(np.sum((y - padded) ** 2) / energy)


def amount_for(harm: Callable[[float], float], wanted: float) -> float | None:
    """Smallest amount in 0..1 whose harm is about `wanted`; None if the largest does not reach 0.7 of it.

    The harm is taken to rise with the amount.
    """
    most = harm(1.0)
    if most < 0.7 * wanted:
        return None
    if most <= wanted * (1 + CLOSE):
        return 1.0
    low, high = 1e-4, 1.0
    for _ in range(STEPS):
        middle = float(np.sqrt(low * high))
        found = harm(middle)
        if abs(found / wanted - 1) < CLOSE:
            return middle
        low, high = (middle, high) if found < wanted else (low, middle)
    return high
