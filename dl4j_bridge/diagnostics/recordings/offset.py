"""Is the middle of the waveform at zero?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.silence import FRAME_SECONDS
from dl4j_bridge.diagnostics.relation import Floats, frames

DC_OFFSET = Kind("dc-offset")

# Four of 256 levels, a share of the sound that a lopsided amplifier did not reach (0.15), and more than the parts of a
# recording scatter: a plucked string's own mean, another one with every note, came to twice the standard deviation.
OFFSET = 0.03
OFFSET_TO_SOUND = 0.2
OFFSET_TO_SCATTER = 2.0
# Peak to mean level of what is nearly a square wave, whose mean is how long it stays on either side. An offset moves
# the middle between its levels too, at least half as far.
SQUARE_CREST = 2.5
LEVELS = (0.01, 0.99)
MIDDLE_TO_MEAN = 0.5
PARTS = 10
PART_SECONDS = 0.2


def check(case: Case) -> Outcome:
    offsets = {name: steady_offset(x, case.rate) for name, x in case.sides.items()}
    shifted = {
        name: value
        for name, value in offsets.items()
        if abs(value) > max(OFFSET, OFFSET_TO_SOUND * float(case.sides[name].std()))
    }
    fix = f"subtract the offset from the {' and the '.join(shifted)}, or high-pass at 20 Hz"
    return DC_OFFSET.outcome(bool(shifted), fix, shifted, {"offset": offsets})


def steady_offset(x: Floats, rate: int) -> float:
    """The mean that the parts of a recording share, in their quiet moments too; 0 if they do not.

    A lopsided sound has a mean only while it lasts, and a plucked string another one with every note.
    """
    if x.size < PARTS * PART_SECONDS * rate:
        return 0.0
    means = []
    for part in np.array_split(frames(x, rate, FRAME_SECONDS), PARTS):
        power = part.var(axis=1)
        means.append(float(np.median(part[power <= np.quantile(power, 0.25)].mean(axis=1))))
    middle = float(np.median(means))
    if abs(middle) <= OFFSET_TO_SCATTER * float(np.std(means)):
        return 0.0
    return middle if float(np.abs(x).max()) >= SQUARE_CREST * float(x.std()) or _moves_levels(x, middle) else 0.0


def _moves_levels(x: Floats, offset: float) -> bool:
    """Whether the middle between the lowest and the highest level lies on the side of the offset."""
    return float(np.mean(np.quantile(x, LEVELS))) / offset > MIDDLE_TO_MEAN
