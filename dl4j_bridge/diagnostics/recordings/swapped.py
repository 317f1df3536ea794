"""Is the input made from the target?"""

import numpy as np

from dl4j_bridge.diagnostics import fixed_model, unexplained
from dl4j_bridge.diagnostics.case import Case, once
from dl4j_bridge.diagnostics.filters import filtered, fitted
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel
from dl4j_bridge.diagnostics.recordings.clipping import clipped_sides
from dl4j_bridge.diagnostics.recordings.dropouts import NEAR_SECONDS, dropouts
from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.signal.alignment import HARMLESS

SWAPPED = Kind("swapped")

# Share of the energy that is left from the input to the target, and how many times more that is than the other way
# round: if the target leads, and if not. No healthy effect came to a ratio of 1.
IF_IT_LEADS = (0.01, 2.5)
IF_NOT = (0.05, 20.0)
# Largest share that is left the other way round.
EXPLAINED = 0.15
# A delay that stands out less may be chance.
SMALLEST_CONFIDENCE = 0.2
# A noise of this share of what is left is the reason.
NOISE_SHARE = 0.5
# An effect bends its sound down: -0.0001 to -0.12 of the energy. The way back bends it up, or hardly.
BENT_DOWN = -0.004
HARDLY_BENT = -0.003
# From here on, no effect that follows the level explains it.
BENT_UP = 0.001
BENDS_APART = 0.006


def check(case: Case) -> Outcome:
    evidence = {
        "unexplained": {"input_to_target": unexplained.of_target(case), "target_to_input": unexplained.of_input(case)},
        "target_leads_by": max(-case.delay.peak, 0),
    }
    fix = "exchange the files: --input is the dry recording"
    return SWAPPED.outcome(is_swapped(case), fix, evidence, evidence)


@once
def is_swapped(case: Case) -> bool:
    """Whether the target gives the input far better than the input gives the target.

    Of a target that leads, it is enough that the way from the target to the input is that of an effect: louder parts
    gain less.
    """
    if case.stored_delay is not None or case.delay.confidence < SMALLEST_CONFIDENCE:
        return False
    leads = case.delay.peak < -HARMLESS
    least, ratio = IF_IT_LEADS if leads else IF_NOT
    forwards = unexplained.of_target(case)
    if forwards <= least or unexplained.of_input(case) >= EXPLAINED:
        return False
    bends_back = leads and _is_bent_back(case)
    if forwards <= ratio * unexplained.of_input(case) and not bends_back:
        return False
    if not leads and "input" in clipped_sides(case):
        # A dry recording that clipped is a wet one of what had not.
        return False
    # Last, since they take seconds.
    if case.speed or case.change or _has_noise_or_dropouts(case):
        return False
    bends_up = bends_back and _forward_bend(case) > BENT_UP
    return bends_up or not _follows_the_level(case)


def _has_noise_or_dropouts(case: Case) -> bool:
    """Whether most of what is left of the target is noise, clicks or gaps: a filter removes them, but makes none."""
    if case.model is None:
        return False
    esr, broken = case.floor.esr, dropouts(case)
    is_noise = esr is not None and esr >= NOISE_SHARE * unexplained.of_target(case)
    clicks = broken.get("clicks_in_target", [])
    return bool(is_noise or broken.get("gaps_in_target") or _share_of_clicks(case.model, clicks) >= NOISE_SHARE)


def _follows_the_level(case: Case) -> bool:
    """Whether a model that knows such effects makes more of the target than of the input."""
    return bool(case.model and case.model.esr < fixed_model.fit(case.model.y, case.model.x, case.rate).esr)


def _share_of_clicks(model: FixedModel, clicks: list[int]) -> float:
    """Share of what the model leaves that lies within a few milliseconds of a click."""
    near = round(NEAR_SECONDS / 4 * model.rate)
    left = np.concatenate([[0.0], np.cumsum(model.residual**2)])
    return float(
        sum(left[min(at + near, left.size - 1)] - left[max(at - near, 0)] for at in clicks) / max(left[-1], 1e-300)
    )


def _is_bent_back(case: Case) -> bool:
    backwards = bend(case.y, case.x, -case.delay.peak)
    if backwards > BENT_DOWN:
        return False
    return _forward_bend(case) > max(HARDLY_BENT, backwards + BENDS_APART)


@once
def _forward_bend(case: Case) -> float:
    return bend(case.x, case.y, case.delay.peak)


def bend(x: Floats, y: Floats, lag: int) -> float:
    """Share of the energy of y that the cube of the best filter's output explains besides; negative: it bends down."""
    x, y = x - x.mean(), y - y.mean()
    taps = fitted(x, y, lag)
    if taps is None:
        return 0.0
    both = slice(max(lag, 0), min(y.size, x.size + lag))
    y, linear = y[both], filtered(x, taps, lag, y.size)[both]
    cube = linear**3
    cube -= cube.mean()
    cube -= linear * np.dot(cube, linear) / max(np.dot(linear, linear), 1e-300)
    share = float(np.dot(cube, y - linear) / np.sqrt(max(np.dot(cube, cube) * np.dot(y, y), 1e-300)))
    return float(np.copysign(share**2, share))
