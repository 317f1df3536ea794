"""Is most of it pause?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case, Floats
from dl4j_bridge.diagnostics.findings import Kind, Outcome

SILENCE_DOMINATED = Kind("silence-dominated")

FRAME_SECONDS = 0.02
BELOW_LOUDEST_DB = 40.0
SILENCE_SHARE = 0.8


def check(case: Case) -> Outcome:
    shares = {name: silence_share(x, case.rate) for name, x in case.sides.items()}
    silent = {name: share for name, share in shares.items() if share > SILENCE_SHARE}
    if not silent:
        return Outcome(figures={"silence_share": shares})
    fix = "cut the pauses out of both recordings, at the same places"
    return SILENCE_DOMINATED.outcome(fix, silent, {"silence_share": shares})


def silence_share(x: Floats, rate: int) -> float:
    """Share of frames far below the loudest one."""
    size = frame_size(rate)
    if x.size < size:
        return 0.0
    power = x[: x.size // size * size].reshape(-1, size).var(axis=1)
    return float(np.mean(power <= power.max() * 10 ** (-BELOW_LOUDEST_DB / 10)))


def frame_size(rate: int) -> int:
    """Samples in a frame."""
    return max(round(FRAME_SECONDS * rate), 2)
