"""Do the labels run ahead of the features, or lag?"""

import numpy as np

from dl4j_bridge.diagnostics.findings import Finding, Kind
from dl4j_bridge.diagnostics.handover.layout import FEWEST_SAMPLES, NO_CLASS, Indices, is_tone
from dl4j_bridge.signal import alignment

MISALIGNED = Kind("misaligned")
TARGET_LEADS = Kind("target-leads")

# Labels are the features themselves, shifted, if this share agrees, and less than half as many differ as unshifted.
COPY = 0.95
COPY_MARGIN = 0.02
FARTHEST_COPY = 64
# Labels of another recording: lags, in samples, at which a causal least-squares filter may start.
FARTHEST_LEAD, FARTHEST_DELAY, TAPS = 16, 48, 32
SHORTEST_PERIOD = 8
# By how much the error grows at the latest start, or the shift means nothing.
CLEAR = 2.0
# The future of the features at least halves the error (healthy effects: at most by a third, 1.5).
LEAD_GAIN = 2.0
# A delay costs the network nothing but memory; filters lag by up to 8 samples of their own.
LONGEST_LAG = 12
# Error growth that counts as none; and what a filter must explain before its start means anything.
ERROR_GROWTH, ERROR_FLOOR, EXPLAINED = 1.1, 1e-4, 0.5


def check(x: list[Indices], y: list[Indices], predicts: str | None) -> Finding | None:
    """Find by how much the labels run ahead of the features: 0 is right for a target, 1 for the next sample.

    Parameters
    ----------
    x, y : list of ndarray, shape (batch, time)
        Classes of features and labels.
    predicts
        ``target``, ``next``, or None where both are right.
    """
    right = {"target": (0,), "next": (1,), None: (0, 1)}[predicts]
    farthest = min(FARTHEST_COPY, x[0].shape[1] // 2)
    copies = agreement(x, y, range(-farthest, farthest + 1))
    shift = max(copies, key=lambda s: (copies[s], s in right, -abs(s)), default=0)
    if copies and copies[shift] >= COPY:
        unshifted = max(copies.get(s, 0.0) for s in right)
        if 1 - unshifted <= 2 * (1 - copies[shift]) + COPY_MARGIN:
            return None
        figures = {"agreement": round(copies[shift], 4), "agreement_where_right": round(unshifted, 4)}
        return _shifted(shift, right, figures)
    return _filter_shift(x, y, right)


def agreement(x: list[Indices], y: list[Indices], shifts: range) -> dict[int, float]:
    """Share of the labels that equal the features `shift` samples later, for each shift."""
    shares = {}
    for shift in shifts:
        equal = count = 0
        for a, b in zip(x, y, strict=True):
            later, now = (a[:, shift:], b[:, : b.shape[1] - shift]) if shift >= 0 else (a[:, :shift], b[:, -shift:])
            both = (later != NO_CLASS) & (now != NO_CLASS)
            equal += int(np.count_nonzero((later == now) & both))
            count += int(np.count_nonzero(both))
        if count >= FEWEST_SAMPLES:
            shares[shift] = equal / count
    return shares


def _filter_shift(x: list[Indices], y: list[Indices], right: tuple[int, ...]) -> Finding | None:
    """Find where a filter from features to labels has to start, if the labels are not the features themselves."""
    ahead = max(right)
    time = x[0].shape[1] - ahead
    if time < FARTHEST_LEAD + FARTHEST_DELAY + 3 * TAPS or is_tone(x):
        return None
    # A sound that repeats itself fits at many shifts.
    if max(agreement(x, x, range(SHORTEST_PERIOD, time // 2 + 1)).values(), default=0.0) >= COPY:
        return None
    # Rows of features move by what is right, so that a lead of 0 is right from here on.
    full = [(a[:, ahead:], b[:, :time]) for a, b in zip(x, y, strict=True) if a.shape == x[0].shape]
    source, target = (np.concatenate(side).astype(np.float64) for side in zip(*full, strict=True))
    whole = ((source != NO_CLASS) & (target != NO_CLASS)).all(axis=1)
    if not whole.any():
        return None
    source, target = source[whole], target[whole]
    source, target = source - source.mean(), target - target.mean()
    energy = float(np.sum(target**2))
    if not energy or not source.any():
        return None
    errors = alignment.filter_errors(source, target, -FARTHEST_LEAD, FARTHEST_DELAY, FARTHEST_DELAY + TAPS) / energy
    causal, best = errors[FARTHEST_LEAD], errors[0]
    # Not explained, or about as well explained from any start on.
    if best > EXPLAINED or errors[-1] + ERROR_FLOOR < CLEAR * (best + ERROR_FLOOR):
        return None
    start = int(np.flatnonzero(errors <= ERROR_GROWTH * best + ERROR_FLOOR)[-1]) - FARTHEST_LEAD
    figures = {"unexplained": round(float(causal), 4), "unexplained_where_shifted": round(float(best), 4)}
    leads = start < 0 and causal + ERROR_FLOOR >= LEAD_GAIN * (best + ERROR_FLOOR)
    return _shifted(ahead - start, right, figures) if leads or start >= LONGEST_LAG else None


def _shifted(shift: int, right: tuple[int, ...], evidence: dict[str, float]) -> Finding:
    leads = shift > max(right)
    wanted = " or ".join({0: "labels[t] from features[t]", 1: "labels[t] = features[t + 1]"}[s] for s in right)
    off = shift - (max(right) if leads else min(right))
    if shift == 0:
        fix = f"labels are the features themselves: the network learns to copy. Wanted {wanted}; in Java: {_line(1)}"
    else:
        fix = f"read the labels {abs(off)} samples {'earlier' if leads else 'later'}: {wanted}; in Java: {_line(-off)}"
    return (TARGET_LEADS if leads else MISALIGNED).found(fix, {"shift": shift, **evidence})


def _line(later: int) -> str:
    """The Java line that fills the labels from classes `later` samples after those that it reads now."""
    place = f"start + t {'+' if later > 0 else '-'} {abs(later)}"
    return f"labels.putScalar(new int[]{{b, classes[{place}], t}}, 1.0)"
