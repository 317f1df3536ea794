"""Is the middle of the waveform at zero?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case, without_delay
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.silence import FRAME_SECONDS
from dl4j_bridge.diagnostics.relation import Floats, frames
from dl4j_bridge.signal.alignment import LOW_CONFIDENCE

DC_OFFSET = Kind("dc-offset")

# Four of 256 levels, a share of the sound that a lopsided amplifier did not reach (0.15), and more than the parts of a
# recording scatter: a plucked string's own mean, another one with every note, came to twice the standard deviation.
OFFSET = 0.03
OFFSET_TO_SOUND = 0.2
OFFSET_TO_SCATTER = 2.0
# Peak to mean level of what is nearly a square wave, whose mean is how long it stays on either side. An offset moves
# the middle between its levels too, at least half as far.
SQUARE_CREST = 2.2
LEVELS = (0.01, 0.99)
MIDDLE_TO_MEAN = 0.5
PARTS = 10
PART_SECONDS = 0.2


def check(case: Case) -> Outcome:
    offsets = {name: steady_offset(x, case.rate) for name, x in case.sides.items()}
    limits = {name: max(OFFSET, OFFSET_TO_SOUND * float(x.std())) for name, x in case.sides.items()}
    shifted = {name: value for name, value in offsets.items() if abs(value) > limits[name]}
    if not shifted and case.delay.confidence >= LOW_CONFIDENCE:
        shifted = {name: value for name, value in _of_one_side(case).items() if abs(value) > limits[name]}
    fix = f"subtract the offset from the {' and the '.join(shifted)}, or high-pass at 20 Hz"
    return DC_OFFSET.outcome(bool(shifted), fix, shifted, {"offset": offsets | shifted})


def steady_offset(x: Floats, rate: int) -> float:
    """The mean that the parts of a recording share, in their quiet moments too; 0 if they do not.

    A lopsided sound has a mean only while it lasts, and a plucked string another one with every note.
    """
    means = _quiet_means(x, rate)
    if not means.size:
        return 0.0
    middle = float(np.median(means))
    if abs(middle) <= OFFSET_TO_SCATTER * float(means.std()):
        return 0.0
    is_square = float(np.abs(x - x.mean()).max()) < SQUARE_CREST * float(x.std())
    return 0.0 if is_square and not _moves_levels(x, middle) else middle


def _of_one_side(case: Case) -> dict[str, float]:
    """An offset of one side: what its parts have besides their share of the means of the other side's parts.

    The other side then has one of the other sign besides its share, so that it is the side whose means agree better.
    """
    sides = dict(zip(("input", "target"), without_delay(case.x, case.y, case.delay.peak), strict=True))
    means = {name: _quiet_means(side, case.rate) / max(float(side.std()), 1e-12) for name, side in sides.items()}
    if not means["input"].size:
        return {}
    found = {}
    for name, other in (("input", "target"), ("target", "input")):
        spread = means[other] - means[other].mean()
        slope = np.dot(spread, means[name]) / max(np.dot(spread, spread), 1e-300)
        own = means[name] - slope * means[other]
        offset, scatter = float(own.mean()), float(own.std())
        if abs(offset) > OFFSET_TO_SCATTER * scatter:
            found[name] = offset
    best = min(found, key=lambda name: abs(float(np.median(means[name])) - found[name]), default=None)
    return {best: found[best] * float(sides[best].std())} if best else {}


def _quiet_means(x: Floats, rate: int) -> Floats:
    """The mean in the quiet moments of each part; shape (PARTS,), or (0,) if the recording is too short."""
    if x.size < PARTS * PART_SECONDS * rate:
        return np.zeros(0)
    means = []
    for part in np.array_split(frames(x, rate, FRAME_SECONDS), PARTS):
        power = part.var(axis=1)
        means.append(float(np.median(part[power <= np.quantile(power, 0.25)].mean(axis=1))))
    return np.array(means)


def _moves_levels(x: Floats, offset: float) -> bool:
    """Whether the middle between the lowest and the highest level lies on the side of the offset."""
    return float(np.mean(np.quantile(x, LEVELS))) / offset > MIDDLE_TO_MEAN
