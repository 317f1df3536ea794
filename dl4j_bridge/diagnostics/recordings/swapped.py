"""Is the input made from the target?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
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


def check(case: Case) -> Outcome:
    forwards, backwards = case.unexplained
    evidence = {
        "unexplained": {"input_to_target": forwards, "target_to_input": backwards},
        "target_leads_by": max(-case.delay.peak, 0),
    }
    fix = "exchange the files: --input is the dry recording"
    return SWAPPED.outcome(is_swapped(case), fix, evidence, evidence)


def is_swapped(case: Case) -> bool:
    """Whether the target gives the input far better than the input gives the target."""
    if case.stored_delay is not None or case.delay.confidence < SMALLEST_CONFIDENCE:
        return False
    forwards, backwards = case.unexplained
    least, ratio = IF_IT_LEADS if case.delay.peak < -HARMLESS else IF_NOT
    if forwards <= max(least, ratio * backwards) or backwards >= EXPLAINED:
        return False
    # Last, since they take seconds.
    return not (case.speed or case.change)
