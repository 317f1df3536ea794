"""Least-squares filters from correlations, by Toeplitz normal equations."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def lagged_products(past: Floats, y: Floats, count: int) -> Floats:
    """Compute ``sum_t past[t - lag] y[t]`` for each lag below `count`.

    Parameters
    ----------
    past : ndarray of float64, shape (m,)
        Input, which ends at the same time as `y` and may start earlier.
    y : ndarray of float64, shape (n,)
        Target.
    count
        Number of lags.

    Returns
    -------
    ndarray of float64, shape (count,)
    """
    from scipy.signal import correlate

    before = np.concatenate([np.zeros(count), past])[-(y.size + count - 1) :]
    return np.asarray(correlate(before, y, "valid", "fft")[::-1])


def solve(auto: Floats, cross: Floats, ridge: float) -> Floats:
    """Compute filter taps by Levinson's recursion (`scipy.linalg.solve_toeplitz`).

    Parameters
    ----------
    auto : ndarray of float64, shape (taps,)
        Autocorrelation of the input by lag.
    cross : ndarray of float64, shape (taps,) or (taps, outputs)
        Correlation of the target with the input by lag.
    ridge
        Addition to the diagonal as a share of the power of the input; without it, quiet bands make the equations
        singular.

    Returns
    -------
    ndarray of float64, shape of `cross`
    """
    from scipy.linalg import solve_toeplitz

    diagonal = auto[0] * (1 + ridge) + 1e-12
    return np.asarray(solve_toeplitz(np.concatenate([[diagonal], auto[1:]]), cross))
