"""Does the target come later, or earlier, than its input and a causal filter explain?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.signal.alignment import LOW_CONFIDENCE

MISALIGNED = Kind("misaligned")
TARGET_LEADS = Kind("target-leads")

# A lag is a delay if it exceeds this share of what a filter of that response takes anyway; for a filter that takes at
# most this number of samples the estimate is exact. Steep low-passes (order 8) came to 0.43, two samples to 1.
OWN_LAG_SHARE = 0.5
EXACT_OWN_LAG = 2


def check(case: Case) -> Outcome:
    delay, excess = case.delay, case.excess
    measured = {
        "samples": excess.samples,
        "cut_out_by_auto": delay.samples,
        "peak": delay.peak,
        "filter": excess.own,
        "confidence": delay.confidence,
    }
    fixed = case.settings.data.align != "auto"
    left = excess.samples - (case.cut if fixed else 0)
    # A delay that somebody cut out by hand may have been between two samples.
    rest = fixed and case.cut != 0 and abs(left) <= 1
    allowed = OWN_LAG_SHARE * excess.own if excess.own > EXACT_OWN_LAG else 0
    in_doubt = case.speed or rest or delay.confidence < LOW_CONFIDENCE or delay.peak == 0 == case.cut
    found = not in_doubt and abs(left) > allowed and case.keeps_lag
    evidence = measured | {"milliseconds": 1000 * excess.samples / case.rate, "left": left}
    later, kind = ("target", MISALIGNED) if left > 0 else ("input", TARGET_LEADS)
    count = abs(excess.samples)
    fix = f"--align {excess.samples}; or drop the first {count} samples of the {later} in your own program"
    if left > 0 and delay.samples > 0:
        fix = f"--align auto (the default) cuts out {delay.samples} samples; or {fix}"
    return kind.outcome(found, fix, evidence, {"delay": measured}, align=str(excess.samples))
