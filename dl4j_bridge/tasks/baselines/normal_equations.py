"""Least-squares filters from correlations: normal equations that are Toeplitz."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def lagged_products(past: Floats, y: Floats, count: int) -> Floats:
    """``sum_t past[t - lag] y[t]`` for each lag below `count`; both end at the same time, `past` starts earlier."""
    from scipy.signal import correlate

    before = np.concatenate([np.zeros(count), past])[-(y.size + count - 1) :]
    return np.asarray(correlate(before, y, "valid", "fft")[::-1])


def solve(auto: Floats, cross: Floats, ridge: float) -> Floats:
    """Filter taps by Levinson's recursion (`scipy.linalg.solve_toeplitz`).

    Parameters
    ----------
    auto : ndarray of float64, shape (taps,)
        Autocorrelation of the input by lag.
    cross : ndarray of float64, shape (taps,) or (taps, outputs)
        Correlation of the target with the input by lag.
    ridge
        Share of the input's power that is added to the diagonal: quiet bands would make the equations singular.
    """
    from scipy.linalg import solve_toeplitz

    diagonal = auto[0] * (1 + ridge) + 1e-12
    return np.asarray(solve_toeplitz(np.concatenate([[diagonal], auto[1:]]), cross))
