"""Is the target made from this input at all?"""

from dl4j_bridge.diagnostics import unexplained
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.relation import are_related
from dl4j_bridge.signal import pairs

UNRELATED = Kind("unrelated")

# Shorter than this, chance makes anything look unrelated.
SHORTEST_RELATED_SECONDS = 1.0
# One note that meets another of its pitch makes a lag stand out this far, but explains no more than that note.
CHANCE_CONFIDENCE = 0.6
CHANCE_UNEXPLAINED = 0.6


def check(case: Case) -> Outcome:
    longest = pairs.WIDE_SHARE * min(*case.lengths, pairs.WIDE_STRETCH_SECONDS * case.rate) / case.rate
    fix = f"check that --target was made from --input; a delay of more than {longest:.1f} s must be cut off first"
    return UNRELATED.outcome(is_unrelated(case), fix, case.relation, {"relation": case.relation})


def is_unrelated(case: Case) -> bool:
    """Whether the two have nothing in common, at no speed that was tried."""
    if case.speed or case.change or min(case.lengths) < SHORTEST_RELATED_SECONDS * case.rate:
        return False
    ways = unexplained.of_target, unexplained.of_input
    by_chance = case.delay.confidence < CHANCE_CONFIDENCE and all(way(case) > CHANCE_UNEXPLAINED for way in ways)
    return not are_related(case.relation | ({"confidence": 0.0} if by_chance else {}))
