"""Is most of it pause?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.relation import Floats, frames

SILENCE_DOMINATED = Kind("silence-dominated")

FRAME_SECONDS = 0.02
BELOW_LOUDEST_DB = 40.0
SILENCE_SHARE = 0.8


def check(case: Case) -> Outcome:
    shares = {name: silence_share(x, case.rate) for name, x in case.sides.items()}
    silent = {name: share for name, share in shares.items() if share > SILENCE_SHARE}
    fix = "cut the pauses out of both recordings, at the same places"
    return SILENCE_DOMINATED.outcome(bool(silent), fix, silent, {"silence_share": shares})


def silence_share(x: Floats, rate: int) -> float:
    """Share of frames far below the loudest one."""
    power = frames(x, rate, FRAME_SECONDS).var(axis=1)
    return float(np.mean(power <= power.max() * 10 ** (-BELOW_LOUDEST_DB / 10))) if power.size else 0.0
