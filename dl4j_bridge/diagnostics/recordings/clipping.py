"""Are the tops flat? In the target only at full scale: below that they are a distortion's work."""

import numpy as np

from dl4j_bridge.diagnostics.case import Case, once, read, spread
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.signal.recordings import Recording

CLIPPED = Kind("clipped")

# Samples at the extreme, as a share of all and relative to the next few levels: a sine has up to 2.4 there.
CLIPPED_SHARE = 5e-4
CLIPPED_TO_NEXT = 5.0
NEXT_LEVELS = 3
# G.711 decodes its largest code to 0.980.
FULL_SCALE = 0.975
# From this share on, what the fixed model leaves is mostly the work of the clipping.
MUCH = 0.02


def check(case: Case) -> Outcome:
    clipped = clipped_sides(case)
    fix = f"record the {' and the '.join(clipped)} again at a lower level"
    figures = {"clipped_share": {name: share for name, (share, _) in _tops(case).items()}}
    return CLIPPED.outcome(bool(clipped), fix, clipped, figures)


def clipped_sides(case: Case) -> dict[str, float]:
    """Share of clipped samples of the sides that clipped."""
    return {
        name: share
        for name, (share, extreme) in _tops(case).items()
        if share > CLIPPED_SHARE and (name == "input" or extreme >= FULL_SCALE)
    }


def is_mangled(case: Case) -> bool:
    """Whether a side clipped at more than a share of `MUCH` of its samples."""
    return max(clipped_sides(case).values(), default=0.0) > MUCH


@once
def _tops(case: Case) -> dict[str, tuple[float, float]]:
    return {name: clipped_share(recording) for name, recording in case.recordings.items()}


def clipped_share(recording: Recording) -> tuple[float, float]:
    """Share of samples on flat tops, and how far out the tops are; at the recording's own rate, before resampling.

    A level counts if it is the extreme of its sign and much fuller than the next ones: a sine gathers at its extremes
    too, and 8 bits make plateaus of any slow wave, but those thin out level by level. A lone sample, twice as far out
    as both of its neighbours, is a click.
    """
    x = np.clip(read(recording, recording.rate, spread(recording.frames, recording.rate)), -1, 1)
    share, extreme = 0.0, float(np.abs(x).max())
    for side in (x, -x):
        at = side[1:-1]
        tops = at[(at > 0) & (2 * np.maximum(side[:-2], side[2:]) > at)]
        values, counts = np.unique(tops, return_counts=True)
        if values.size and counts[-1] > CLIPPED_TO_NEXT * counts[-1 - NEXT_LEVELS : -1].max(initial=1):
            share += float(counts[-1]) / x.size
    return share, extreme
