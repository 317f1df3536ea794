"""What a report plots of a pair: only what shows a finding, or all of it for a pair without one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.signal import alignment, pairs
from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import without_delay
from dl4j_bridge.tasks.baselines.fir import Fir

# Codes of the findings that each plot shows.
_LAGS = {"misaligned", "target-leads", "delay-changes", "swapped", "polarity-inverted", "unrelated", "rate-mismatch"}
_LEVELS = {"time-variant", "delay-changes", "wrong-take", "dropouts", "noise-floor", "memory-too-short"}
_LEVELS |= {"silence-dominated", "gain-mismatch", "length-mismatch"}
_TRANSFER = {"clipped", "polarity-inverted", "dc-offset", "quiet-recording", "gain-mismatch", "bit-crushed"}
# Milliseconds around the lag that are plotted, and the greatest number of points.
AROUND_MS, MOST_POINTS = 10.0, 1200
# Frames of the levels over time; the filter whose error is plotted is long enough for an equalizer.
FRAMES, TAPS = 200, 64


@dataclass(frozen=True)
class Correlation:
    """Whitened cross-correlation around the lag that was found.

    Attributes
    ----------
    lags, values : ndarray of float64, shape (n,)
        In milliseconds, and relative to the highest.
    found
        Lag of the highest value, in milliseconds.
    low, high
        Interval of the delay in milliseconds, if a finding has one.
    """

    lags: Floats
    values: Floats
    found: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Levels:
    """Levels over time in dB, by name; what a filter leaves unexplained is one of them.

    Attributes
    ----------
    seconds : ndarray of float64, shape (n,)
    levels : dict of ndarray of float64, shape (n,)
    """

    seconds: Floats
    levels: dict[str, Floats]


@dataclass(frozen=True)
class PairPlots:
    """What is plotted; None where there is nothing to show.

    Attributes
    ----------
    transfer : ndarray of int64, shape (256, 256)
        How often each class of the input meets each class of the target.
    """

    correlation: Correlation | None = None
    levels: Levels | None = None
    transfer: npt.NDArray[np.int64] | None = None


def of(case: Case, findings: list[Finding]) -> PairPlots:
    """The plots that show one of `findings`; all of them without findings, none without a target."""
    found = {finding.code for finding in findings}
    if case.processed is None or min(case.x.size, case.y.size) < TAPS:
        return PairPlots()
    return PairPlots(
        _correlation(case, findings) if not found or found & _LAGS else None,
        _levels(case) if not found or found & _LEVELS else None,
        _transfer(case) if not found or found & _TRANSFER else None,
    )


def _correlation(case: Case, findings: list[Finding]) -> Correlation | None:
    size = min(case.x.size, case.y.size, alignment.STRETCH)
    longest = round(pairs.LONGEST_DELAY_SECONDS * case.rate)
    values = alignment.impulse_response(case.x[:size], case.y[:size], longest)
    if values.size == 1:
        return None
    middle, found = values.size // 2, case.delay.peak
    reach = min(abs(found) + round(AROUND_MS / 1000 * case.rate), middle)
    lags = np.arange(-reach, reach + 1)
    shown = values[middle - reach : middle + reach + 1] / max(float(np.abs(values).max()), 1e-12)
    # Of several points only the highest is plotted, which is what a peak is.
    step = -(-shown.size // MOST_POINTS)
    at = [int(k + np.argmax(np.abs(shown[k : k + step]))) for k in range(0, shown.size, step)]
    per_sample = 1000 / case.rate
    interval = next((f.evidence for f in findings if f.code in _LAGS and {"low", "high"} <= f.evidence.keys()), None)
    ends = (interval["low"] * per_sample, interval["high"] * per_sample) if interval else (None, None)
    milliseconds, heights = (np.asarray(each[at], np.float64) for each in (lags * per_sample, shown))
    return Correlation(milliseconds, heights, found * per_sample, *ends)


def _levels(case: Case) -> Levels:
    x, y = without_delay(case.x, case.y, case.cut)
    fir = Fir(taps=TAPS)
    fir.fit([(x, y)])
    signals = {"input": x, "target": y, "error of a filter": y - fir.values(x)}
    size = max(y.size // FRAMES, 1)
    count = y.size // size
    powers = {name: signal[: count * size].reshape(count, size).var(axis=1) for name, signal in signals.items()}
    seconds = (np.arange(count) + 0.5) * size / case.rate
    return Levels(seconds, {name: 10 * np.log10(np.maximum(power, 1e-12)) for name, power in powers.items()})


def _transfer(case: Case) -> npt.NDArray[np.int64]:
    x, y = (side.astype(np.int64) for side in case.indices)
    return np.bincount(x * CLASSES + y, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
