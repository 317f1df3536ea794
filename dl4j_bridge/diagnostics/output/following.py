"""Is the effect one that the network cannot follow?"""

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import WARNING, Kind
from dl4j_bridge.signal import alignment

NOT_FOLLOWED = Kind("not-followed", WARNING)
# Longest time after which an echo is looked for.
LONGEST_SECONDS = 2.0
# How far one lag stands out where there is an echo: 3 and more with echoes of guitar, tabla and speech, at most 1.31
# with distortion, fuzz, cabinet, tremolo, ring modulation and reverb.
IS_ECHO = 2.0
# Lags around the highest that belong to it.
NEIGHBOURS = 50

Floats = npt.NDArray[np.floating]


def echo(x: Floats, error: Floats, taps: int) -> tuple[int, float]:
    """Find the lag at which an error repeats the input.

    Parameters
    ----------
    x : ndarray of float, shape (m + n,)
        Input, of which the last n samples belong to `error`.
    error : ndarray of float, shape (n,)
        What the best linear filter leaves of the target.
    taps
        Length of that filter, in samples.

    Returns
    -------
    lag : int
        In samples.
    prominence : float
        Response there, relative to the largest at any other lag; 0 for silence.
    """
    # The last taps of a filter are not all its own.
    first, longest = 7 * taps // 4, x.size // 2
    response = alignment.impulse_response(x, np.pad(error, (x.size - error.size, 0)), longest)
    size = np.abs(response[longest + first :])
    if size.size <= 2 * NEIGHBOURS:
        return 0, 0.0
    best = int(size.argmax())
    elsewhere = np.delete(size, slice(max(best - NEIGHBOURS, 0), best + NEIGHBOURS + 1)).max()
    return first + best, float(size[best] / elsewhere) if elsewhere else 0.0
