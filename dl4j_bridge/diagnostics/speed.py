"""How many times slower one recording runs than another."""

import numpy as np

from dl4j_bridge.diagnostics.filters import filtered, fitted
from dl4j_bridge.diagnostics.relation import Floats, envelope, envelope_match
from dl4j_bridge.signal import alignment, pairs
from dl4j_bridge.signal.resampling import resample
from dl4j_bridge.signal.stretches import starts

# Windows in which the delay is found again, the maximum number of them, and how sure each must be to count.
LOCAL_SECONDS = 0.5
LOCAL_WINDOWS = 40
LOCAL_CONFIDENCE = 0.3
# Number of such windows below which nothing is concluded.
FEWEST_WINDOWS = 5
# A drift shows if it comes to this number of samples in all, and to this multiple of what the windows scatter.
SMALLEST_DRIFT = 3
DRIFT_TO_SCATTER = 8
# Around the delay, the lag of what a fixed filter gives is found to a fraction of a sample, this number of samples to
# either side; the correlation there must be this large. In healthy pairs such lags drifted by up to 0.26 samples, half
# of their scatter, or by 3 millionths: a chord that dies away meets another part of a curve at its end.
FINE_REACH = 8
FINE_CORRELATION = 0.5
SMALLEST_FINE_DRIFT, SLOWEST_FINE_DRIFT = 0.8, 1e-5
FINE_DRIFT_TO_SCATTER = 4
# At the speed of a drift, the lag of the whole stands out more: what is missing to a confidence of 1 is at most this
# share of what is missing without it. Two clocks came to 0.82 at most, lags that wander by themselves to 0.99 at least.
MISSING_AT_SPEED = 0.9
# Share of the windows that must agree on another speed, and share of the recording that they must span; how far apart
# their lags may be.
AGREEING_SHARE = 0.5
AGREEING_SECONDS = 0.005
# Rates that a header may confuse, in Hz.
STANDARD_RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
# Tape speeds to try besides: 0.8 to 1.25, a thousandth apart.
TAPE_SPEEDS = np.exp(np.arange(-0.223, 0.2235, 0.001))
# Those whose loudness fits best are tried on the waveform. Several tries need more confidence than one.
TRIED_TAPE_SPEEDS = 4
SPEED_CONFIDENCE = 0.4
SPEED_SECONDS = 6
# Another speed also changes the length; a recording that was cut besides is allowed for.
LENGTH_TO_SPEED = 2.5
# Frames of the loudness, short enough to find a speed by.
FRAME_SECONDS = 0.01


def local_lags(x: Floats, y: Floats, rate: int, around: int) -> tuple[Floats, Floats]:
    """Find the lag again in windows, a quarter of a window to either side of `around`; times and lags in samples.

    The windows are tapered: where both begin at once, their edges would give a lag of their own.
    """
    from scipy.signal.windows import hann

    size = round(LOCAL_SECONDS * rate)
    taper = hann(size)
    first, last = max(-around, 0), min(x.size, y.size - around) - size
    found = []
    for start in np.unique(starts(last - first, 0, LOCAL_WINDOWS, first)) if last > first else ():
        left, right = x[start : start + size], y[start + around : start + around + size]
        lag = alignment.estimate_delay(taper * left, taper * right, size // 4, causal=False)
        if lag.confidence >= LOCAL_CONFIDENCE:
            found.append((start + size / 2, around + lag.peak))
    at = np.array(found, np.float64).reshape(-1, 2)
    return at[:, 0], at[:, 1]


def fine_lags(x: Floats, y: Floats, rate: int, around: int) -> tuple[Floats, Floats]:
    """Find the lag in windows to a fraction of a sample; times and lags in samples.

    The target is compared with what one filter makes of the input, so that an effect has no lag of its own.
    """
    x, y = x - x.mean(), y - y.mean()
    taps = fitted(x, y, around)
    if taps is None:
        return np.zeros(0), np.zeros(0)
    expected = filtered(x, taps, around, y.size)
    size = round(LOCAL_SECONDS * rate)
    first, last = max(around, 0) + FINE_REACH, min(y.size, x.size + around) - size - FINE_REACH
    found = []
    for start in np.unique(starts(last - first, 0, LOCAL_WINDOWS, first)) if last > first else ():
        left, right = expected[start : start + size], y[start - FINE_REACH : start + size + FINE_REACH]
        match = np.correlate(right, left, "valid")
        at = int(match.argmax())
        energy = np.dot(left, left) * np.dot(y[start : start + size], y[start : start + size])
        if 0 < at < 2 * FINE_REACH and match[at] > FINE_CORRELATION * np.sqrt(energy):
            before, peak, after = match[at - 1 : at + 2]
            # The top of the parabola through the three largest values.
            top = 0.5 * (before - after) / (before - 2 * peak + after)
            found.append((start + size / 2, around + at - FINE_REACH + top))
    at_lags = np.array(found, np.float64).reshape(-1, 2)
    return at_lags[:, 0], at_lags[:, 1]


def drift(
    times: Floats, lags: Floats, smallest: float = SMALLEST_DRIFT, to_scatter: float = DRIFT_TO_SCATTER
) -> float | None:
    """Samples of lag gained in a sample of time (Theil, 1950; Sen, 1968); None if nothing but scatter shows."""
    from scipy.stats import theilslopes

    if times.size < FEWEST_WINDOWS:
        return None
    slope, offset, low, high = theilslopes(lags, times, alpha=0.999)
    total = abs(slope) * np.ptp(times)
    scatter = np.median(np.abs(lags - offset - slope * times))
    if low * high <= 0 or total < smallest or total < to_scatter * scatter:
        return None
    return float(slope)


def fine_drift(times: Floats, lags: Floats) -> float | None:
    """The drift of `fine_lags`; None also if a step describes them better."""
    slope = drift(times, lags, SMALLEST_FINE_DRIFT, FINE_DRIFT_TO_SCATTER)
    if slope is None or abs(slope) < SLOWEST_FINE_DRIFT:
        return None
    left = lags - slope * times
    return slope if _scatter(left) < min(_scatter(lags[:k]) + _scatter(lags[k:]) for k in range(1, lags.size)) else None


def _scatter(lags: Floats) -> float:
    return float(np.abs(lags - np.median(lags)).sum())


def find_speed(x: Floats, y: Floats, rate: int, length_ratio: float, confidence: float) -> float | None:
    """Find how many times slower `y` runs than `x`, both from the start of their recordings.

    All pairs of standard rates are tried, and the tape speeds at which the loudness fits best.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,) and (m,)
        Read at `rate`, in Hz.
    rate
        In Hz.
    length_ratio
        Length of the whole recording of `y`, relative to that of `x`.
    confidence
        What the lag at another speed must reach.
    """
    left, right = envelope(x, rate, FRAME_SECONDS), envelope(y, rate, FRAME_SECONDS)
    reach = round(pairs.LONGEST_DELAY_SECONDS / FRAME_SECONDS)
    fits = np.array([envelope_match(left, _stretched(right, speed), reach) for speed in TAPE_SPEEDS])
    speeds = {a / b for a in STANDARD_RATES for b in STANDARD_RATES if a != b}
    for _ in range(TRIED_TAPE_SPEEDS):
        at = int(fits.argmax())
        speeds.add(refine(x, y, rate, float(TAPE_SPEEDS[at])))
        # Its neighbors fit nearly as well, and would be refined to the same.
        fits[max(at - 3, 0) : at + 4] = 0
    longest = round(pairs.LONGEST_DELAY_SECONDS * rate)
    best = None
    fewest = SMALLEST_DRIFT / max(min(x.size, y.size), 1)
    for speed in sorted(speeds):
        if abs(speed - 1) < fewest:
            continue
        if 1 / LENGTH_TO_SPEED < speed / length_ratio < LENGTH_TO_SPEED:
            corrected = at_speed(y, speed)
            lag = alignment.estimate_delay(x, corrected, longest, causal=False)
            if lag.confidence >= confidence and _agrees(x, corrected, rate, lag.peak):
                best, confidence = speed, lag.confidence
    return best


def _agrees(x: Floats, y: Floats, rate: int, lag: int) -> bool:
    """Whether windows all over the recordings have this lag, but for what is left of a drift."""
    times, lags = local_lags(x, y, rate, lag)
    if times.size < FEWEST_WINDOWS or np.ptp(times) < AGREEING_SHARE * (min(x.size, y.size) - LOCAL_SECONDS * rate):
        return False
    return float(np.mean(np.abs(lags - lag) <= rate * AGREEING_SECONDS)) >= AGREEING_SHARE


def at_speed(y: Floats, speed: float) -> Floats:
    """Make a sound that runs `speed` times slower run as the input does."""
    return np.asarray(resample(y, round(speed * 1_000_000), 1_000_000), np.float64)


def refine(x: Floats, y: Floats, rate: int, speed: float) -> float:
    """A better estimate of a speed, from the drift that is left at it."""
    longest = round(pairs.LONGEST_DELAY_SECONDS * rate)
    # The smaller the drift, the more windows find their lag, and the less does the filter that they share blur it.
    for _ in range(3):
        corrected = at_speed(y, speed)
        around = alignment.estimate_delay(x, corrected, longest, causal=False).peak
        slope = drift(*local_lags(x, corrected, rate, around))
        speed *= 1 + (slope or drift(*fine_lags(x, corrected, rate, around), 0.0, 0.0) or 0.0)
    return speed


def confirmed(x: Floats, y: Floats, rate: int, speed: float) -> float | None:
    """`speed` refined, if one lag then stands out more than at the speed as it is."""
    speed, longest = refine(x, y, rate, speed), round(pairs.LONGEST_DELAY_SECONDS * rate)
    left = [1 - alignment.estimate_delay(x, each, longest, causal=False).confidence for each in (y, at_speed(y, speed))]
    return speed if left[1] <= MISSING_AT_SPEED * left[0] else None


def _stretched(frames: Floats, speed: float) -> Floats:
    return np.asarray(np.interp(np.arange(0, frames.size, speed), np.arange(frames.size), frames), np.float64)
