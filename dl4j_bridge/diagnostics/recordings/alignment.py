"""Is the target late or early, once the delay is cut out that training cuts out?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Kind, Outcome
from dl4j_bridge.diagnostics.recordings.swapped import is_swapped
from dl4j_bridge.signal.alignment import HARMLESS, LOW_CONFIDENCE
from dl4j_bridge.signal.pairs import LONGEST_DELAY_SECONDS

MISALIGNED = Kind("misaligned")
TARGET_LEADS = Kind("target-leads")
# A delay that no effect has, although training cuts it out.
FAR_LATE = Kind("misaligned", WARNING)
FAR_EARLY = Kind("target-leads", WARNING)

# A lead of a smaller part of a sample does no harm.
SMALLEST_LEAD = 0.5


def check(case: Case) -> Outcome:
    delay = case.delay
    low, high = round(delay.low, 2), round(delay.high, 2)
    measured = {
        "samples": delay.samples,
        "low": low,
        "high": high,
        "milliseconds": [round(1000 * bound / case.rate, 3) for bound in (low, high)],
        "cut_out": case.cut,
        "peak": delay.peak,
        "confidence": delay.confidence,
    }
    figures = {"delay": measured}
    in_doubt = delay.confidence < LOW_CONFIDENCE or case.speed or case.change or is_swapped(case)
    if case.stored_delay is not None or in_doubt or not case.keeps_lag:
        return Outcome(figures=figures)
    changes = {}
    evidence = measured | {"left": [round(low - case.cut, 2), round(high - case.cut, 2)]}
    late = low - case.cut > HARMLESS
    if case.settings.data.align == "auto":
        kind = FAR_LATE if delay.samples > 0 else FAR_EARLY
        found = abs(delay.samples) > LONGEST_DELAY_SECONDS * case.rate
        fix = f"check that both files are of one take; --align auto (the default) cuts out {delay.samples} samples"
    else:
        kind = MISALIGNED if late else TARGET_LEADS
        found = late or high - case.cut <= -SMALLEST_LEAD
        fix = f"--align {delay.samples}; or --align auto (the default)"
        changes = {"align": str(delay.samples)}
    return kind.outcome(found, fix, evidence, figures, **changes)
