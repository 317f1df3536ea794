"""Passages that the input repeats exactly: what differs between them in the target is not made from the input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.relation import Floats

# Shortest passage, and shortest lag between two of them.
PASSAGE_SECONDS, LAG_SECONDS = 0.1, 0.15
# How long a passage must have been the same before its target is compared: the effect remembers what came before.
SETTLED_SECONDS = 0.3
# Length that is compared, at least.
COMPARED_SECONDS = 0.5
# Quieter passages, relative to the mean power, are pauses, which are all alike.
QUIET = 1e-3
# Odd, so that its powers have inverses modulo 2**64.
FACTOR = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Repeats:
    """Where the input repeats itself.

    Attributes
    ----------
    lag
        Samples from a passage to its repetition.
    at : ndarray of int, shape (n,)
        Samples that repeat what was `lag` samples earlier, as everything shortly before them does.
    """

    lag: int
    at: npt.NDArray[np.intp]


def find(x: Floats, rate: int) -> Repeats | None:
    """Find the lag at which most of the input is repeated exactly; None if too little is."""
    size, settled = round(PASSAGE_SECONDS * rate), round(SETTLED_SECONDS * rate)
    lags = _lags(x, size)
    lags = lags[lags >= LAG_SECONDS * rate]
    if lags.size < COMPARED_SECONDS * rate:
        return None
    values, counts = np.unique(lags, return_counts=True)
    lag = int(values[counts.argmax()])
    same = np.cumsum(np.r_[0, x[lag:] == x[:-lag]])
    at = lag + settled - 1 + np.flatnonzero(same[settled:] - same[:-settled] == settled)
    return Repeats(lag, at) if at.size >= COMPARED_SECONDS * rate else None


def _lags(x: Floats, size: int) -> npt.NDArray[np.intp]:
    """Distances from each passage of `size` samples that was there before to its last occurrence."""
    if x.size <= size:
        return np.zeros(0, np.intp)
    numbers = np.round(x * 2**31).astype(np.int64).astype(np.uint64)
    powers, inverses = (np.cumprod(np.full(x.size, factor, np.uint64)) for factor in (FACTOR, pow(FACTOR, -1, 1 << 64)))
    sums = np.cumsum(np.r_[np.zeros(1, np.uint64), numbers * powers])
    # Equal for equal passages, wherever they begin.
    hashes = (sums[size:] - sums[:-size]) * inverses[: x.size - size + 1]
    energy = np.cumsum(np.r_[0.0, x**2])
    loud = np.flatnonzero(energy[size:] - energy[:-size] > QUIET * size * energy[-1] / x.size)
    order = loud[np.argsort(hashes[loud], kind="stable")]
    return np.asarray(np.diff(order)[hashes[order][1:] == hashes[order][:-1]])
