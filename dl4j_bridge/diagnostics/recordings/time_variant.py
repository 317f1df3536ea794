"""Does the effect move with time, whatever is played, as an oscillator makes it?"""

from dataclasses import asdict
from typing import Any

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.automation import moved_volume
from dl4j_bridge.diagnostics.recordings.broken import is_broken
from dl4j_bridge.diagnostics.recordings.clipping import is_mangled

TIME_VARIANT = Kind("time-variant")

# Share of what the fixed model leaves that a modulation must explain, and the ESR that it costs.
SHARES = {"gain": 0.13, "delay": 0.1, "response": 0.45, "multiplied": 0.3}
SMALLEST_ESR = 0.0015
# Below this ESR, and where other blocks refute it, the share must be larger.
SMALL_ESR, SURE_SHARE = 0.004, 0.2
# A smaller share is enough if it costs more.
SMALLER_SHARE, LARGER_ESR = 0.12, 0.01
# A moving delay that costs less must be surer: an echo of 15 ms came to a certainty of 5.5.
SURE_DELAY = 6.5


def check(case: Case) -> Outcome:
    # Steps, fades, gaps and samples that are held are modulations too; another take has another lag, as a later part
    # with another latency has.
    if case.model is None or case.change or is_broken(case) or moved_volume(case):
        return Outcome()
    found, esr = case.modulation, case.without_hum.esr
    measured: dict[str, Any] = {"share": found.share, "hertz": found.hertz, "kind": found.kind}
    figures: dict[str, Any] = {"modulation": measured}
    evidence = measured | {"esr": found.share * esr}
    if not swings(case) and esr >= SMALLEST_ESR:
        delay = case.moving_delay
        figures["moving_delay"] = asdict(delay)
        evidence = {"kind": "delay", "hertz": delay.hertz, "moves": 2000 * delay.swing, "esr": esr}
    fix = "switch the modulation off (tremolo, vibrato, chorus, phaser, ring modulator) and record the target again"
    return TIME_VARIANT.at(evidence["esr"]).outcome(is_moving(case), fix, evidence, figures)


def is_moving(case: Case) -> bool:
    """Whether a modulation or a moving delay explains enough of what the model leaves."""
    if is_mangled(case):
        return False
    if swings(case):
        return True
    esr = case.without_hum.esr
    # The delay takes long to find, so it is asked last.
    is_sure = esr >= SMALLEST_ESR and case.moving_delay.is_certain
    return is_sure and (esr >= LARGER_ESR or case.moving_delay.certainty >= SURE_DELAY)


def swings(case: Case) -> bool:
    """Whether a modulation explains enough of what the model leaves."""
    found = case.modulation
    cost = found.share * case.without_hum.esr
    is_sure = cost >= SMALL_ESR and not found.is_refuted
    least = SHARES[found.kind] if is_sure else max(SHARES[found.kind], SURE_SHARE)
    usual = (found.is_proven or found.share >= least) and cost >= SMALLEST_ESR
    return usual or (found.share >= SMALLER_SHARE and cost >= LARGER_ESR and not found.is_refuted)
