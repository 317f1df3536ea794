"""Is the target made from this input at all?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.signal import pairs

UNRELATED = Kind("unrelated")

# Shorter than this, chance makes anything look unrelated.
SHORTEST_RELATED_SECONDS = 1.0


def check(case: Case) -> Outcome:
    relation = {
        "confidence": case.relation.confidence,
        "impulse_response": case.relation.response,
        "envelope": case.relation.envelope,
        "curve": case.relation.curve,
    }
    if not is_unrelated(case):
        return Outcome(figures={"relation": relation})
    fix = (
        "check that --target was made from --input; a delay of more than "
        f"{pairs.LONGEST_DELAY_SECONDS:g} s must be cut off first"
    )
    return UNRELATED.outcome(fix, relation, {"relation": relation})


def is_unrelated(case: Case) -> bool:
    """Whether the two have nothing in common, at no speed that was tried."""
    long_enough = min(case.lengths) >= SHORTEST_RELATED_SECONDS * case.rate
    return not case.speed and not case.relation.found and long_enough
