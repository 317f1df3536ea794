"""Does the target go down where the input goes up?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.swapped import is_swapped
from dl4j_bridge.signal.alignment import LOW_CONFIDENCE

POLARITY_INVERTED = Kind("polarity-inverted")

# The lag of a filter that takes at most this number of samples is exact.
EXACT_OWN_LAG = 2


def check(case: Case) -> Outcome:
    # A filter with a lag of its own may turn the peak around, as a band-pass does; without one the peak is the better
    # evidence.
    inverted = case.excess.inverted if case.excess.own > EXACT_OWN_LAG else case.delay.inverted
    figures = {"inverted": inverted}
    in_doubt = case.speed or case.change or is_swapped(case) or not case.keeps_lag
    found = inverted and case.delay.confidence >= LOW_CONFIDENCE and not in_doubt
    evidence = figures | {"confidence": case.delay.confidence}
    fix = "multiply the target by -1 in your own program"
    return POLARITY_INVERTED.outcome(found, fix, evidence, figures)
