"""Has the target as many levels, and as much bandwidth, as its format and its input let expect?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case, once, read, spread
from dl4j_bridge.diagnostics.findings import WARNING, Kind, Outcome
from dl4j_bridge.diagnostics.recordings.clipping import is_mangled
from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.signal.pairs import without_delay

FEW_LEVELS = Kind("bit-crushed", WARNING)
HELD_SAMPLES = Kind("bit-crushed")

# Steps of 8 bits are 1/128 of full scale, and 8-bit files are fine; from this step on there are fewer bits.
COARSE_STEP = 1 / 100
# In a quiet recording smaller steps cost as much: this ESR.
COARSE_ESR = 0.003
STEP_OF_16_BITS = 1 / (1 << 15)
# With more levels than this it is no uniform code of few bits; a square wave has fewer than that.
MOST_LEVELS, FEWEST_LEVELS = 256, 3
# Smallest step of nearly all samples, relative to the usual one.
EVEN = 0.75
# What a curve of an input with few levels leaves, as a share of the step.
OF_CURVE = 0.1
# Numbers of samples that a sample-and-hold may repeat, and the shares of changes that show it.
HELD = range(2, 33)
CHANGES_BETWEEN, CHANGES_AT = 0.002, 0.2
# A target that was resampled ends at once: by this many dB within this share of the frequency, where the input goes on.
EDGE_DB, EDGE_SHARE = 40.0, 0.08
INPUT_DROP_DB = 15.0
# There the input is this far above the noise of its own rounding, at least.
OVER_ROUNDING_DB = 10.0


def check(case: Case) -> Outcome:
    if case.processed is None or case.speed:
        return Outcome()
    recording = case.processed
    y = read(recording, recording.rate, spread(recording.frames, recording.rate))
    step, held = level_step(y), held_samples(y)
    edge = None
    # Clipping adds overtones to the input.
    if recording.rate >= case.rate and case.model and not is_mangled(case):
        edge = empty_above(case.model.x, case.model.y, case.rate)
    esr = quantisation_esr(y, step)
    figures = {"level_step": step, "held_samples": held, "empty_above": edge, "rounding_esr": esr}
    findings = []
    if held > 1:
        rate = recording.rate // held
        # At that rate, nothing is repeated any more.
        if rate < case.rate:
            fix = f"--rate {rate}: the target repeats each sample {held} times, so it holds no more than that"
            findings.append(HELD_SAMPLES.found(fix, {"held_samples": held, "rate": rate}, rate=rate))
    elif is_coarse(case, y, step):
        fix = "record or export the target again with 16 bits or more; or leave it: no model's ESR will be below that"
        findings.append(FEW_LEVELS.found(fix, {"step": step, "bits": float(np.log2(2 / step)), "best_esr": esr}))
    elif edge is not None:
        rate = 2 * round(edge)
        fix = f"--rate {rate}: the target has nothing above {edge:.0f} Hz, it was resampled"
        findings.append(FEW_LEVELS.found(fix, {"empty_above_hz": edge}, rate=rate))
    return Outcome(findings, figures)


@once
def is_crushed(case: Case) -> bool:
    """Whether the target has few levels, or repeats its samples."""
    if case.processed is None:
        return False
    y = read(case.processed, case.processed.rate, spread(case.processed.frames, case.processed.rate))
    return held_samples(y) > 1 or is_coarse(case, y, level_step(y))


def is_coarse(case: Case, y: Floats, step: float) -> bool:
    """Whether the target `y` has coarser steps than its format and its input explain."""
    if case.processed is None or case.processed.is_8_bit or not step:
        return False
    if step < COARSE_STEP and quantisation_esr(y, step) < COARSE_ESR:
        return False
    return not is_curve(*without_delay(case.x, case.y, case.delay.peak), OF_CURVE * step)


def is_curve(x: Floats, y: Floats, error: float) -> bool:
    """Whether the input has few levels, and each of them one value in the target, within this error."""
    levels, at, counts = np.unique(np.round(x, 7), return_inverse=True, return_counts=True)
    if levels.size > MOST_LEVELS:
        return False
    mean = np.bincount(at, y) / counts
    return float(np.mean((y - mean[at]) ** 2)) < error**2


def level_step(y: Floats) -> float:
    """Distance between neighbouring levels; 0 if it is not the same for most, or there are many levels or very few."""
    levels, counts = np.unique(np.round(y, 7), return_counts=True)
    if not FEWEST_LEVELS <= levels.size <= MOST_LEVELS:
        return 0.0
    gaps = np.diff(levels)
    # A level has a gap on either side; a quiet one of mu-law has small ones.
    near = np.minimum(np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]]))
    order = np.argsort(near)
    low, usual = near[order][np.searchsorted(np.cumsum(counts[order]), [y.size / 10, y.size / 2])]
    # The steps of mu-law rise with the level.
    return float(usual) if low > EVEN * usual else 0.0


def quantisation_esr(y: Floats, step: float) -> float:
    """ESR of uniform rounding with this step: a twelfth of its square."""
    return step**2 / 12 / max(float(np.mean(y**2)), 1e-30)


def rounding_esr(case: Case) -> float:
    """ESR of the rounding to the target's levels, at least that of 16 bits."""
    recording = case.processed
    if recording is None:
        return 0.0
    y = read(recording, recording.rate, spread(recording.frames, recording.rate))
    return quantisation_esr(y, max(level_step(y), STEP_OF_16_BITS))


def held_samples(y: Floats) -> int:
    """Number of times that each sample is repeated; 1 if they are not."""
    changed = np.diff(y) != 0
    best = 1
    for count in HELD:
        if changed.size < 50 * count:
            break
        shares = changed[: changed.size // count * count].reshape(-1, count).mean(axis=0)
        others = np.delete(shares, shares.argmax())
        if shares.max() > CHANGES_AT and others.max() <= CHANGES_BETWEEN:
            best = count
    return best


def empty_above(x: Floats, y: Floats, rate: int) -> float | None:
    """Frequency in Hz at which the target ends at once and the input does not; None if there is none."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import welch

    size = min(2048, x.size // 8)
    if size < 256:
        return None
    frequencies, left = welch(x, rate, nperseg=size)
    right = welch(y, rate, nperseg=size)[1]
    left, right = (10 * np.log10(uniform_filter1d(each, 5) + 1e-16) for each in (left, right))
    rounding = 10 * np.log10(max(level_step(x), STEP_OF_16_BITS) ** 2 / 6 / rate) + OVER_ROUNDING_DB
    first, last = int(0.1 * frequencies.size), int(0.95 * frequencies.size)
    best = None
    for low in range(first, last):
        high = max(round(low * (1 + EDGE_SHARE)), low + 7)
        if high >= last:
            break
        # All that comes after it stays as low.
        drop, rest = right[low] - right[high:].max(), np.median(left[high:last])
        if drop > EDGE_DB and rest > max(left[low] - INPUT_DROP_DB, rounding):
            best = float(frequencies[(low + high) // 2])
            break
    return best
