"""Is the middle of the waveform at zero?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.silence import FRAME_SECONDS
from dl4j_bridge.diagnostics.relation import Floats, frames
from dl4j_bridge.signal.alignment import LOW_CONFIDENCE
from dl4j_bridge.signal.pairs import without_delay

DC_OFFSET = Kind("dc-offset")

# Four of 256 levels, a share of the sound that a lopsided amplifier did not reach (0.15), and more than the parts of a
# recording scatter: a plucked string's own mean, another one with every note, came to twice the standard deviation.
OFFSET = 0.03
OFFSET_TO_SOUND = 0.2
OFFSET_TO_SCATTER = 2.0
# A curve with a bias has an offset in rests, and much less of it while there is sound.
LOUD_TO_QUIET = 0.5
# A fuzz of a lopsided sound has a mean too, and next to none where the other side crosses zero. One with a bias has its
# mean there, and next to none in the middle between its two ends. Share of the samples that are nearest to zero or to
# an end, and share of the offset that they must have.
NEAREST = 0.05
OF_OFFSET = 0.5
# An offset that scatters by less than this share of itself, between parts and between quiet and loud moments, was added
# after the effect: that of a fuzz with a bias came to 0.13 at least.
CONSTANT = 0.06
# Mean of a part, relative to the standard deviation of the side, that is none.
NO_MEAN = 0.02
PARTS = 10
PART_SECONDS = 0.2


def check(case: Case) -> Outcome:
    offsets = {name: steady_offset(x, case.rate) for name, x in case.sides.items()}
    limits = {name: max(OFFSET, OFFSET_TO_SOUND * float(x.std())) for name, x in case.sides.items()}
    shifted = {name: value for name, value in offsets.items() if abs(value) > limits[name]}
    if case.target and case.delay.confidence >= LOW_CONFIDENCE:
        x, y = without_delay(case.x, case.y, case.delay.peak)
        if not shifted:
            found = of_one_side(x, y, case.rate).items()
            shifted = {name: value for name, value in found if abs(value) > limits[name]}
        facing = {"input": (x, y), "target": (y, x)}
        shifted = {k: v for k, v in shifted.items() if _mean_at_crossings(*facing[k]) / v > OF_OFFSET}
        shifted = {
            k: v
            for k, v in shifted.items()
            if _is_constant(facing[k][0], case.rate) or _middle_between_ends(*facing[k]) / v > OF_OFFSET
        }
    fix = f"subtract the offset from the {' and the '.join(shifted)}, or high-pass at 20 Hz"
    return DC_OFFSET.outcome(bool(shifted), fix, shifted, {"offset": offsets | shifted})


def steady_offset(x: Floats, rate: int) -> float:
    """The mean that the parts of a recording share, in quiet moments as in loud ones; 0 if they do not.

    A lopsided sound has a mean only while it lasts, and a plucked string another one with every note.
    """
    quiet, loud = _means(x, rate)
    return _offset(quiet, loud) if quiet.size else 0.0


def of_one_side(x: Floats, y: Floats, rate: int) -> dict[str, float]:
    """An offset of ``input`` or ``target``: what its parts have besides their share of the other side's means.

    The other side then has one of the other sign besides its share, so that it is the side whose means agree better.
    """
    sides = {"input": x, "target": y}
    means = {name: np.divide(_means(side, rate), max(float(side.std()), 1e-12)) for name, side in sides.items()}
    if not means["input"].size:
        return {}
    found = {}
    for name, other in (("input", "target"), ("target", "input")):
        spread = means[other][0] - means[other][0].mean()
        slope = np.dot(spread, means[name][0]) / (np.dot(spread, spread) + PARTS * NO_MEAN**2)
        found[name] = _offset(*(means[name] - slope * means[other]))
    best = min(found, key=lambda name: abs(float(np.median(means[name][0])) - found[name]) if found[name] else np.inf)
    return {best: found[best] * float(sides[best].std())}


def _is_constant(x: Floats, rate: int) -> bool:
    """Whether the means of all parts are nearly the same, in quiet and in loud moments."""
    means = np.concatenate(_means(x, rate))
    return bool(means.size and means.std() < CONSTANT * abs(float(np.median(means))))


def _mean_at_crossings(x: Floats, other: Floats) -> float:
    """The mean of a side where the other one is nearest to zero."""
    distance = np.abs(other)
    return float(x[distance <= np.quantile(distance, NEAREST)].mean())


def _middle_between_ends(x: Floats, other: Floats) -> float:
    """The middle of two means of a side: where the other one is largest, and where it is smallest."""
    low, high = np.quantile(other, (NEAREST, 1 - NEAREST))
    return float(x[other <= low].mean() + x[other >= high].mean()) / 2


def _offset(quiet: Floats, loud: Floats) -> float:
    """What the means of all parts have in common; 0 if that is not clear."""
    offset = float(np.median(quiet))
    clear = abs(offset) > OFFSET_TO_SCATTER * float(quiet.std())
    return offset if clear and float(np.median(loud)) / offset > LOUD_TO_QUIET else 0.0


def _means(x: Floats, rate: int) -> tuple[Floats, Floats]:
    """The mean in the quiet and in the loud moments of each part; each of shape (PARTS,), or (0,) if x is too short."""
    if x.size < PARTS * PART_SECONDS * rate:
        return np.zeros(0), np.zeros(0)
    means = []
    for part in np.array_split(frames(x, rate, FRAME_SECONDS), PARTS):
        power = part.var(axis=1)
        low, high = np.quantile(power, (0.25, 0.75))
        means.append([float(np.median(part[rows].mean(axis=1))) for rows in (power <= low, power >= high)])
    quiet, loud = np.transpose(means)
    return quiet, loud
