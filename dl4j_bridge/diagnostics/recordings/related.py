"""Is the target made from this input at all?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.relation import are_related
from dl4j_bridge.signal import pairs

UNRELATED = Kind("unrelated")

# Shorter than this, chance makes anything look unrelated.
SHORTEST_RELATED_SECONDS = 1.0


def check(case: Case) -> Outcome:
    longest = pairs.WIDE_SHARE * min(*case.lengths, pairs.WIDE_STRETCH_SECONDS * case.rate) / case.rate
    fix = f"check that --target was made from --input; a delay of more than {longest:.1f} s must be cut off first"
    return UNRELATED.outcome(is_unrelated(case), fix, case.relation, {"relation": case.relation})


def is_unrelated(case: Case) -> bool:
    """Whether the two have nothing in common, at no speed that was tried."""
    long_enough = min(case.lengths) >= SHORTEST_RELATED_SECONDS * case.rate
    return not (case.speed or case.change) and not are_related(case.relation) and long_enough
