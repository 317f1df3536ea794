"""The best fixed filter around a lag."""

import numpy as np

from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.signal.alignment import TAPS

# Number of taps on either side of the lag that a filter may need besides TAPS.
_HALF = TAPS // 2


def fitted(x: Floats, y: Floats, lag: int, start: int = 0, stop: int | None = None) -> Floats | None:
    """Least-squares taps from x to y around a lag, from samples `start` to `stop` of y; None if those are too few."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import correlate

    start, stop = max(start, lag + 3 * _HALF, 0), min(y.size if stop is None else stop, y.size, x.size + lag - _HALF)
    if stop - start < 8 * _HALF:
        return None
    u, v = x[start - lag - 3 * _HALF : stop - lag + _HALF], y[start:stop]
    count = 4 * _HALF + 1
    cross = correlate(u, v, "valid")[:count][::-1]
    auto = correlate(np.r_[u, np.zeros(count - 1)], u, "valid")[:count]
    auto[0] = auto[0] * (1 + 1e-6) + 1e-12
    return np.asarray(solve_toeplitz(auto, cross))


def filtered(x: Floats, taps: Floats, lag: int, size: int) -> Floats:
    """The output of `taps` fitted at a lag; shape (size,)."""
    from scipy.signal import oaconvolve

    # The first tap is for the sample half of TAPS after the lag.
    shift = lag - _HALF
    whole = oaconvolve(x, taps)
    return np.asarray(np.r_[np.zeros(max(shift, 0)), whole[max(-shift, 0) :], np.zeros(size)][:size], np.float64)
