"""What a diagnosis is about: the recordings and settings, and what is measured on them; each at most once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dl4j_bridge.settings.config import (
    NetworkSettings,
    TrainSettings,
    parse_align,
)
from dl4j_bridge.signal import alignment, audio, pairs
from dl4j_bridge.signal.audio import Recording, open_recording
from dl4j_bridge.tasks.baselines import LookupTable, Stretch
from dl4j_bridge.tasks.samples import SamplesTask

Floats = npt.NDArray[np.float64]

# Of longer recordings so many stretches are looked at, spread from the start to the end, as long as this together.
LOOKED_AT_SECONDS = 60
STRETCHES = 6
# Windows in which the delay is found again, at most so many, and how sure each must be to count.
LOCAL_SECONDS = 0.5
LOCAL_WINDOWS = 40
LOCAL_CONFIDENCE = 0.3
# Windows that find the same lag, of those that find any. A vibrato has a lag, but no two windows the same.
SAME_LAG_SHARE = 0.5
# A drift shows if it comes to so many samples in all, and to so many times what the windows scatter.
SMALLEST_DRIFT = 3
DRIFT_TO_SCATTER = 8
# Rates that a header may confuse, in Hz.
STANDARD_RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
# Tape speeds to try besides: 0.8 to 1.25, a thousandth apart.
TAPE_SPEEDS = np.exp(np.arange(-0.223, 0.2235, 0.001))
# Those whose loudness fits best are tried on the waveform. So many tries need more confidence than one.
TRIED_TAPE_SPEEDS = 4
SPEED_CONFIDENCE = 0.4
SPEED_SECONDS = 6
# Another speed also changes the length; a recording that was cut besides is allowed for.
LENGTH_TO_SPEED = 2.5
# Frames of the loudness: short ones to find a speed by, longer ones, over which a ring modulator's beats even out, to
# see whether there is anything in common.
SPEED_FRAME_SECONDS = 0.01
SHARED_FRAME_SECONDS = 0.05
# Recordings that are related although no lag stands out share an impulse response in both halves (reverberation),
# a loudness (ring modulation) or a curve (rectifier). Unrelated speech and music stayed below 0.15, 0.67 and 0.05.
SHARED_RESPONSE = 0.25
SHARED_ENVELOPE = 0.75
SHARED_CURVE = 0.1


@dataclass(frozen=True)
class Relation:
    """How much two recordings have in common, each 0 (nothing) to 1.

    Attributes
    ----------
    confidence
        How far one lag stands out.
    response
        Correlation of the impulse responses measured in either half.
    envelope
        Correlation of the changes of loudness, at the best lag.
    curve
        Share of the target's variance that a curve fitted on the first half explains in the second.
    """

    confidence: float
    response: float
    envelope: float
    curve: float

    @property
    def found(self) -> bool:
        return (
            self.confidence >= alignment.LOW_CONFIDENCE
            or self.response >= SHARED_RESPONSE
            or self.envelope >= SHARED_ENVELOPE
            or self.curve >= SHARED_CURVE
        )


@dataclass(frozen=True)
class Case:
    """One pair of recordings, or one alone, and the settings to train with.

    Raises
    ------
    InputError
        On the first look at a recording that cannot be used (`audio.open_recording`).
    """

    input: Path
    target: Path | None
    settings: TrainSettings

    @cached_property
    def source(self) -> Recording:
        return open_recording(self.input, self.settings.data.channel)

    @cached_property
    def processed(self) -> Recording | None:
        return open_recording(self.target, self.settings.data.channel) if self.target else None

    @cached_property
    def rate(self) -> int:
        """Training rate in Hz."""
        return self.settings.data.rate or self.source.rate

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Samples of input and target at the training rate, of which the shorter one counts."""
        x = self.source.length_at(self.rate)
        return x, self.processed.length_at(self.rate) if self.processed else x

    @property
    def is_whole(self) -> bool:
        """Whether all of the recordings is looked at."""
        return max(self.lengths) <= LOOKED_AT_SECONDS * self.rate

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """Where `x` and `y` are taken from: (start, stop) at the training rate."""
        return [(0, max(self.lengths))] if self.is_whole else spread(min(self.lengths), self.rate)

    @cached_property
    def x(self) -> Floats:
        """The input at the training rate, or its stretches end to end; shape (n,), undelayed."""
        return read(self.source, self.rate, self.places)

    @cached_property
    def y(self) -> Floats:
        """The target likewise; empty if there is none."""
        return read(self.processed, self.rate, self.places) if self.processed else np.zeros(0)

    @cached_property
    def delay(self) -> alignment.Delay:
        """The target's delay, as training estimates it."""
        if self.processed is None:
            return alignment.Delay(0, 0, 0.0, False)
        return pairs.estimate(self.source, self.processed, self.rate)

    @cached_property
    def excess(self) -> alignment.ExcessLag:
        """What of the delay no filter explains."""
        return alignment.excess_lag(self.x, self.y, self.delay.peak)

    @property
    def cut(self) -> int:
        """The delay that training cuts out."""
        fixed = parse_align(self.settings.data.align)
        if fixed is not None:
            return fixed
        return self.delay.samples if self.delay.confidence >= alignment.LOW_CONFIDENCE else 0

    @property
    def keeps_lag(self) -> bool:
        """Whether the windows that have a lag of their own have that of the whole."""
        lags = self.local[1]
        same = np.abs(lags - self.delay.peak) <= 1 + abs(self.excess.own)
        return not lags.size or float(np.mean(same)) >= SAME_LAG_SHARE

    @property
    def tolerance(self) -> int:
        """Samples by which lengths may differ, the delay apart."""
        return pairs.length_tolerance(*self.lengths, self.rate)

    @property
    def fits_in_length(self) -> bool:
        """Whether training takes recordings of these lengths."""
        x, y = self.lengths
        return abs(y - x) <= abs(self.cut) + self.tolerance

    @cached_property
    def length(self) -> int:
        """Samples that both have once the delay is cut out."""
        x, y = self.lengths
        return max(min(x - max(-self.cut, 0), y - max(self.cut, 0)), 0)

    @cached_property
    def task(self) -> SamplesTask:
        return SamplesTask.choose(self.settings.data, self.source.is_8_bit, self.target is not None)

    @cached_property
    def indices(self) -> Stretch:
        """What goes in and what should come out, as classes with the delay cut out; uint8, each of shape (n,)."""
        x, y = without_delay(self.x, self.y if self.target else self.x, self.cut if self.target else 0)
        source = self.task.encoder().push(x)
        return self.task.input_and_target(source, self.task.encoder().push(y) if self.target else None)

    @cached_property
    def speed(self) -> float | None:
        """How many times slower the target's contents run; None if they run alike or nothing shows that they do not."""
        if self.processed is None:
            return None
        slope = drift(*self.local)
        if slope:
            # Stretches that stand end to end here would not at another speed.
            return _refined(self.x, self.y, self.rate, 1 + slope) if self.is_whole else 1 + slope
        # A loudness in common is no proof, since it stays when the speed is a little off; and nothing is if the lengths
        # differ or the lag wanders.
        if replace(self.relation, envelope=0.0).found and self.fits_in_length and self.keeps_lag:
            return None
        count = SPEED_SECONDS * self.rate if self.is_whole else self.places[0][1]
        wanted = max(self.delay.confidence + SPEED_CONFIDENCE / 2, SPEED_CONFIDENCE)
        return find_speed(self.x[:count], self.y, self.rate, self.lengths[1] / self.lengths[0], wanted)

    @cached_property
    def relation(self) -> Relation:
        """What the two have in common as they are."""
        return relate(self.x, self.y, self.rate, self.delay, self.indices, self.task)

    @cached_property
    def local(self) -> tuple[Floats, Floats]:
        """Times and lags, in samples, of the windows that have a lag of their own; each of shape (windows,)."""
        at, lags = local_lags(self.x, self.y, self.rate, self.delay.peak)
        starts = np.array([start for start, _ in self.places])
        ends = np.cumsum([stop - start for start, stop in self.places])
        place = np.minimum(np.searchsorted(ends, at, side="right"), len(starts) - 1)
        return at - np.r_[0, ends[:-1]][place] + starts[place], lags


def spread(length: int, rate: int) -> list[tuple[int, int]]:
    """Stretches from the start to the end of a recording, `LOOKED_AT_SECONDS` in all, or all of a shorter one."""
    if length <= LOOKED_AT_SECONDS * rate:
        return [(0, length)]
    size = LOOKED_AT_SECONDS * rate // STRETCHES
    return [(int(start), int(start) + size) for start in np.linspace(0, length - size, STRETCHES)]


def read(recording: Recording, rate: int, places: list[tuple[int, int]]) -> Floats:
    """Stretches of a recording end to end, in one pass; float64, shape (n,)."""
    parts, at = [np.zeros(0, np.float32)], 0
    for block in recording.blocks(rate):
        parts += [block[max(start - at, 0) : max(stop - at, 0)] for start, stop in places]
        at += block.size
        if at >= places[-1][1]:
            break
    return np.concatenate(parts).astype(np.float64)


def without_delay(x: Floats, y: Floats, delay: int) -> tuple[Floats, Floats]:
    """Views of equal length in which the target comes `delay` samples earlier."""
    x, y = x[max(-delay, 0) :], y[max(delay, 0) :]
    return x[: y.size], y[: x.size]


def parameters(network: NetworkSettings, classes: int) -> int:
    """Trainable numbers of the network: GravesLSTM has four gates with biases and three peepholes a unit."""
    hidden = network.hidden
    inputs = [classes] + [hidden] * (network.layers - 1)
    return sum(hidden * (4 * n + 4 * hidden + 3 + 4) for n in inputs) + (hidden + 1) * classes


def envelope(x: Floats, rate: int, seconds: float) -> Floats:
    """Loudness of frames of so many seconds: natural logarithm, floored 40 dB below the whole's."""
    size = max(round(seconds * rate), 2)
    frames = x[: x.size // size * size].reshape(-1, size)
    return np.asarray(np.log(frames.std(axis=1) + 0.01 * x.std() + 1e-9))


def local_lags(x: Floats, y: Floats, rate: int, around: int) -> tuple[Floats, Floats]:
    """Find the lag again in windows, a quarter of a window to either side of `around`; times and lags in samples.

    The windows are tapered: where both begin at once, their edges would give a lag of their own.
    """
    from scipy.signal.windows import hann

    size = round(LOCAL_SECONDS * rate)
    taper = hann(size)
    first, last = max(-around, 0), min(x.size, y.size - around) - size
    found = []
    for start in np.unique(np.linspace(first, last, LOCAL_WINDOWS).astype(int)) if last > first else ():
        left, right = x[start : start + size], y[start + around : start + around + size]
        lag = alignment.estimate_delay(taper * left, taper * right, size // 4, causal=False)
        if lag.confidence >= LOCAL_CONFIDENCE:
            found.append((start + size / 2, around + lag.peak))
    at = np.array(found, np.float64).reshape(-1, 2)
    return at[:, 0], at[:, 1]


def drift(times: Floats, lags: Floats) -> float | None:
    """Samples of lag gained in a sample of time (Theil, 1950; Sen, 1968); None if nothing but scatter shows."""
    from scipy.stats import theilslopes

    if times.size < 5:
        return None
    slope, offset, low, high = theilslopes(lags, times, alpha=0.999)
    total = abs(slope) * np.ptp(times)
    scatter = np.median(np.abs(lags - offset - slope * times))
    if low * high <= 0 or total < SMALLEST_DRIFT or total < DRIFT_TO_SCATTER * scatter:
        return None
    return float(slope)


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
        Of the whole recordings, `y` to `x`.
    confidence
        What the lag at another speed must reach.
    """
    left, right = envelope(x, rate, SPEED_FRAME_SECONDS), envelope(y, rate, SPEED_FRAME_SECONDS)
    reach = round(pairs.LONGEST_DELAY_SECONDS / SPEED_FRAME_SECONDS)
    fits = np.array([_envelope_match(left, _stretched(right, speed), reach) for speed in TAPE_SPEEDS])
    speeds = {a / b for a in STANDARD_RATES for b in STANDARD_RATES if a != b}
    for _ in range(TRIED_TAPE_SPEEDS):
        at = int(fits.argmax())
        speeds.add(_refined(x, y, rate, float(TAPE_SPEEDS[at])))
        # Its neighbours fit nearly as well, and would be refined to the same.
        fits[max(at - 3, 0) : at + 4] = 0
    longest = round(pairs.LONGEST_DELAY_SECONDS * rate)
    best = None
    for speed in sorted(speeds):
        if 1 / LENGTH_TO_SPEED < speed / length_ratio < LENGTH_TO_SPEED:
            lag = alignment.estimate_delay(x, at_speed(y, speed), longest, causal=False)
            if lag.confidence >= confidence:
                best, confidence = speed, lag.confidence
    return best


def at_speed(y: Floats, speed: float) -> Floats:
    """Make what runs `speed` times slower run as the input does."""
    return np.asarray(audio.resample(y, round(speed * 1_000_000), 1_000_000), np.float64)


def _refined(x: Floats, y: Floats, rate: int, speed: float) -> float:
    """A better estimate of a speed, from the drift that is left at it."""
    longest = round(pairs.LONGEST_DELAY_SECONDS * rate)
    # The smaller the drift, the more windows find their lag.
    for _ in range(2):
        corrected = at_speed(y, speed)
        around = alignment.estimate_delay(x, corrected, longest, causal=False).peak
        speed *= 1 + (drift(*local_lags(x, corrected, rate, around)) or 0.0)
    return speed


def _stretched(frames: Floats, speed: float) -> Floats:
    return np.asarray(np.interp(np.arange(0, frames.size, speed), np.arange(frames.size), frames), np.float64)


def _envelope_match(left: Floats, right: Floats, reach: int) -> float:
    """Largest correlation of the changes of loudness, at up to `reach` frames of lag."""
    from scipy.signal import correlate

    n = min(left.size, right.size) - 1
    if n < 10:
        return 0.0
    a, b = np.diff(left[: n + 1]), np.diff(right[: n + 1])
    energy = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
    reach = min(reach, n - 1)
    match = correlate(b, a)[n - 1 - reach : n + reach]
    return float(match.max() / energy) if energy else 0.0


def relate(x: Floats, y: Floats, rate: int, delay: alignment.Delay, indices: Stretch, task: SamplesTask) -> Relation:
    """Measure what two recordings have in common, from a lag to a mere loudness."""
    n = min(x.size, y.size)
    longest = round(pairs.LONGEST_DELAY_SECONDS * rate)
    half = n // 2
    responses = [alignment.impulse_response(x[part], y[part], longest) for part in (slice(half), slice(half, 2 * half))]
    energy = float(np.sqrt(np.prod([np.dot(r, r) for r in responses])))
    response = float(np.dot(*responses)) / energy if energy else 0.0
    left, right = (envelope(side[:n], rate, SHARED_FRAME_SECONDS) for side in (x, y))
    loudness = _envelope_match(left, right, round(pairs.LONGEST_DELAY_SECONDS / SHARED_FRAME_SECONDS))
    return Relation(delay.confidence, response, loudness, _explained_by_curve(indices, task))


def _explained_by_curve(indices: Stretch, task: SamplesTask) -> float:
    source, target = indices
    half = target.size // 2
    table = LookupTable(task.codec)
    table.fit([(source[:half], target[:half])])
    wanted = task.codec.decode(target[half:])
    if half == 0 or not wanted.std():
        return 0.0
    error = wanted - table.predict(source[half:]).values
    return float(max(1 - error.var() / wanted.var(), 0.0))
