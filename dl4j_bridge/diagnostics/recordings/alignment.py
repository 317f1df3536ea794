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
    figures = {
        "delay": {
            "samples": excess.samples,
            "cut_out_by_auto": delay.samples,
            "peak": delay.peak,
            "filter": excess.own,
            "confidence": delay.confidence,
        }
    }
    fixed = case.settings.data.align != "auto"
    left = excess.samples - (case.cut if fixed else 0)
    # A delay that somebody cut out by hand may have been between two samples.
    rest = fixed and case.cut != 0 and abs(left) <= 1
    if case.speed or rest or not _has_delay(case, left):
        return Outcome(figures=figures)
    evidence = figures["delay"] | {"milliseconds": 1000 * excess.samples / case.rate, "left": left}
    count = abs(excess.samples)
    if left > 0:
        auto = f"--align auto (the default) cuts out {delay.samples} samples; or " if delay.samples > 0 else ""
        fix = f"{auto}--align {excess.samples}; or drop the first {count} samples of the target in your own program"
        return MISALIGNED.outcome(fix, evidence, figures)
    fix = f"--align {excess.samples}; or drop the first {count} samples of the input in your own program"
    return TARGET_LEADS.outcome(fix, evidence, figures)


def _has_delay(case: Case, left: int) -> bool:
    excess = case.excess
    if case.delay.confidence < LOW_CONFIDENCE or case.delay.peak == 0 == case.cut or not left:
        return False
    if not case.keeps_lag:
        return False
    allowed = OWN_LAG_SHARE * excess.own if excess.own > EXACT_OWN_LAG else 0
    return abs(left) > allowed
