"""Does the target answer to what was played longer ago than the network can remember?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.automation import moved_volume
from dl4j_bridge.diagnostics.recordings.broken import is_broken
from dl4j_bridge.diagnostics.recordings.time_variant import is_moving

TOO_SHORT = Kind("memory-too-short")

# ESR that the late part of the response costs.
WARNING_ESR = 0.0011
# Correlation of what is left of the target with what the other half's late response makes of it.
CORRELATION = 0.1
# The least ratio of the correlation in pauses to that elsewhere, unless the correlation is as clear, or costs as much:
# what hits have in common with those before came to 0.37 and to an ESR of 0.002.
IN_PAUSES = 0.9
CLEAR, COSTLY_ESR = 0.45, 0.006


def check(case: Case) -> Outcome:
    # A delay or a filter that moves answers late too, and so does a volume.
    if case.model is None or case.change or is_broken(case) or moved_volume(case) or is_moving(case):
        return Outcome()
    late, carried = case.late, case.carried
    figures = {"late_response": {"esr": late.esr, "correlation": late.correlation, "after_samples": carried}}
    evidence = figures["late_response"] | {"lag_seconds": late.lag / case.rate, "carried_seconds": carried / case.rate}
    fix = "switch the echo or the reverb off and record the target again, and add it after the network"
    return TOO_SHORT.at(late.esr).outcome(is_late(case), fix, evidence, figures)


def is_late(case: Case) -> bool:
    """Whether the late response costs enough, and is sure."""
    late = case.late
    is_everywhere = late.in_pauses >= IN_PAUSES or late.correlation >= CLEAR or late.esr >= COSTLY_ESR
    return late.esr >= WARNING_ESR and late.correlation >= CORRELATION and is_everywhere
