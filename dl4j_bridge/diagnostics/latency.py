"""A latency that changes from one place of a recording on."""

from dataclasses import dataclass

import numpy as np

from dl4j_bridge.diagnostics.filters import filtered, fitted
from dl4j_bridge.diagnostics.relation import Floats, frames
from dl4j_bridge.diagnostics.speed import FEWEST_WINDOWS
from dl4j_bridge.signal import alignment, pairs

# Smallest change, in samples.
SMALLEST_CHANGE = 2
# Smallest change that the ends of a recording show alone, since a drift of fewer samples looks alike.
SMALLEST_OF_ENDS = 4
# A change of fewer samples may be a drift if too few windows have a lag.
LARGER_THAN_DRIFTS = 12
NEVER_A_DRIFT = 512
# Number of windows on either side of a change.
FEWEST_ON_A_SIDE = 3
# Share of the windows on either side that have the lag of that side.
SAME_SHARE = 0.7
# A change leaves at most this share of the scatter that a drift leaves.
CHANGE_TO_DRIFT = 0.6
# A step is clear if it leaves at most this share of the scatter that a drift leaves: in healthy pairs, none left less
# than 0.5 of it, or 0.85 of that of lags found to a fraction of a sample.
CLEAR_CHANGE_TO_DRIFT = 0.4
FEWEST_FOR_A_CLEAR_STEP = 12
# Smallest step of lags found to a fraction of a sample, in samples and in seconds.
SMALLEST_FINE_CHANGE, SMALLEST_FINE_SECONDS = 0.8, 5e-5
# Frames that are explained by one latency or by the other, and the share of their energy that must agree.
FRAME_SECONDS = 0.01
AGREEING_SHARE = 0.8
# What the same filter leaves at the other latency, relative to what it leaves at the first one.
REMAINING = 0.95


@dataclass(frozen=True)
class LatencyChange:
    """A change of the latency.

    Attributes
    ----------
    at
        Sample from which on the second latency holds.
    before, after
        Lags in samples.
    unexplained
        What a filter fitted before the change leaves after it: at the first and at the second lag, as shares of the
        target's energy.
    """

    at: int
    before: int
    after: int
    unexplained: tuple[float, float]


def find_change(
    x: Floats, y: Floats, rate: int, windows: tuple[Floats, Floats], fine: tuple[Floats, Floats]
) -> LatencyChange | None:
    """Find the place from which on the target has another latency.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,) and (m,)
        Read at `rate`, in Hz.
    windows, fine : tuple of ndarray of float64, shape (windows,)
        What `local_lags` and `fine_lags` found.

    Returns
    -------
    LatencyChange or None
        None unless the same filter explains the target much better at the second lag than at the first, after the
        change, and the reverse before it; or the lags of the windows are those of a clear step.
    """
    for candidate in (*_ends(x, y, rate), *_step(*windows, rate)):
        change = _located(x, y, rate, *candidate)
        if change and _is_sudden(x, y, change) and not _drifts(*windows, change):
            return change
    smallest = max(SMALLEST_FINE_CHANGE, SMALLEST_FINE_SECONDS * rate)
    for candidate in (*_clear_step(*windows, SMALLEST_CHANGE, rate), *_clear_step(*fine, smallest, rate)):
        change = _located(x, y, rate, *candidate, is_clear=True)
        if change:
            return change
    return None


# The lag before and after a change, the last sample that is surely before it, and the first that is surely after it.
_Candidate = tuple[int, int, int, int]


def _step(times: Floats, lags: Floats, rate: int) -> list[_Candidate]:
    """The best step through the lags of the windows."""
    if times.size < max(2 * FEWEST_ON_A_SIDE, FEWEST_WINDOWS):
        return []
    best = min(range(FEWEST_ON_A_SIDE, lags.size - FEWEST_ON_A_SIDE + 1), key=lambda k: _scatter(lags, k))
    sides = lags[:best], lags[best:]
    before, after = (round(float(np.median(side))) for side in sides)
    near = max(abs(after - before) / 6, 0.5)
    same = min(float(np.mean(np.abs(side - lag) <= near)) for side, lag in zip(sides, (before, after), strict=True))
    if abs(after - before) < SMALLEST_CHANGE or same < SAME_SHARE:
        return []
    return [(before, after, int(times[best - 1]) - rate // 4, int(times[best]) + rate // 4)]


def _clear_step(times: Floats, lags: Floats, smallest: float, rate: int) -> list[_Candidate]:
    """The best step through the lags of the windows, if it describes them far better than a drift."""
    from scipy.stats import theilslopes

    if times.size < FEWEST_FOR_A_CLEAR_STEP:
        return []
    best = min(range(FEWEST_ON_A_SIDE, lags.size - FEWEST_ON_A_SIDE + 1), key=lambda k: _scatter(lags, k))
    before, after = (float(np.median(side)) for side in (lags[:best], lags[best:]))
    slope, offset, *_ = theilslopes(lags, times)
    drift = float(np.abs(lags - offset - slope * times).sum())
    if abs(after - before) < smallest or _scatter(lags, best) > CLEAR_CHANGE_TO_DRIFT * drift:
        return []
    first = round(before)
    return [(first, first + round(after - before), int(times[best - 1]) - rate // 4, int(times[best]) + rate // 4)]


def _scatter(lags: Floats, k: int) -> float:
    """Distance of the lags from a step before the window `k`."""
    return float(sum(np.abs(side - np.median(side)).sum() for side in (lags[:k], lags[k:])))


def _drifts(times: Floats, lags: Floats, change: LatencyChange) -> bool:
    """Whether a drift describes the lags of the windows as well as the change does."""
    from scipy.stats import theilslopes

    near = np.abs(lags - (change.before + change.after) / 2) < abs(change.after - change.before) + alignment.TAPS
    times, lags = times[near], lags[near]
    k = int(np.searchsorted(times, change.at))
    if abs(change.after - change.before) >= NEVER_A_DRIFT:
        return False
    if min(k, times.size - k) < FEWEST_ON_A_SIDE:
        return abs(change.after - change.before) < LARGER_THAN_DRIFTS
    slope, offset, *_ = theilslopes(lags, times)
    return _scatter(lags, k) > CHANGE_TO_DRIFT * float(np.abs(lags - offset - slope * times).sum())


def _ends(x: Floats, y: Floats, rate: int) -> list[_Candidate]:
    """The lags of the first and the last third, if both stand out."""
    n = min(x.size, y.size)
    thirds = slice(0, n // 3), slice(n - n // 3, n)
    spread = round(pairs.SPREAD_SECONDS * rate)
    found = [alignment.estimate_delay(x[part], y[part], rate, causal=False, spread=spread) for part in thirds]
    first, last = (each.peak for each in found)
    if min(each.confidence for each in found) < alignment.LOW_CONFIDENCE or abs(last - first) < SMALLEST_OF_ENDS:
        return []
    return [(first, last, n // 3, n - n // 3)]


def _is_sudden(x: Floats, y: Floats, change: LatencyChange) -> bool:
    """Whether the lags hold up to the change and from it on. Those of two clocks drift from one to the other."""
    n = min(x.size, y.size)
    size = min(n // 6, change.at, n - change.at)
    near = max(0.5, abs(change.after - change.before) / 6)
    for start, lag in ((change.at - size, change.before), (change.at, change.after)):
        left, right = x[max(start - lag, 0) :][:size], y[max(start - lag, 0) + lag :][:size]
        found = alignment.estimate_delay(left, right, abs(change.after - change.before) + alignment.TAPS, causal=False)
        if abs(found.peak) > near:
            return False
    return True


def _located(
    x: Floats, y: Floats, rate: int, before: int, after: int, stop: int, start: int, is_clear: bool = False
) -> LatencyChange | None:
    """Find where frames explained at the lag `before` give way to frames explained at the lag `after`.

    A filter from either side must explain the other one better at that side's lag. Unless the step is clear, most
    frames must agree to it; the place of one that is lies from `stop` to `start`.
    """
    filters = [fitted(x, y, before, 0, stop), fitted(x, y, after, start)]
    sides = []
    for taps in filters:
        if taps is None:
            return None
        first, second = (frames(y - filtered(x, taps, lag, y.size), rate, FRAME_SECONDS) for lag in (before, after))
        sides.append((np.sum(first**2, axis=1), np.sum(second**2, axis=1)))
    energy = np.sum(frames(y, rate, FRAME_SECONDS) ** 2, axis=1)
    gain = np.cumsum(sum(second - first for first, second in sides))
    size = max(round(FRAME_SECONDS * rate), 2)
    near = slice(max(stop // size, 0), max(start // size, 1)) if is_clear else slice(None)
    at = (near.start or 0) + int(np.argmax(gain[near])) + 1
    if not 0 < at < energy.size - 1:
        return None
    total = np.maximum(energy, 1e-12)
    for first, second in sides:
        right = (first[:at] < second[:at], second[at:] < first[at:])
        shares = [np.sum(t[r]) / np.sum(t) for t, r in zip((total[:at], total[at:]), right, strict=True)]
        better = np.sum(second[at:]) <= REMAINING * np.sum(first[at:])
        if (
            (min(shares) < AGREEING_SHARE and not is_clear)
            or not better
            or np.sum(first[:at]) > REMAINING * np.sum(second[:at])
        ):
            return None
    left = tuple(float(np.sum(side[at:]) / np.sum(total[at:])) for side in sides[0])
    return LatencyChange(at * size, before, after, (left[0], left[1]))
