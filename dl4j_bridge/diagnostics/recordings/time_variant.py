"""Does the effect move with time, whatever is played, as an oscillator makes it?"""

from typing import Any

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.automation import moved_volume
from dl4j_bridge.diagnostics.recordings.dropouts import is_broken

TIME_VARIANT = Kind("time-variant")

# Share of what the fixed model leaves that a modulation must explain, and the ESR that it costs.
SHARES = {"gain": 0.13, "delay": 0.1, "response": 0.45, "multiplied": 0.3}
SMALLEST_ESR = 0.0015
# Below this ESR, the share must be larger.
SMALL_ESR, SURE_SHARE = 0.004, 0.2
# A smaller share is enough if it costs more.
SMALLER_SHARE, LARGER_ESR = 0.12, 0.01
# A lag that moves by this number of samples and of seconds, in steps that are this share of it, as an oscillation that
# explains this share of its variance; and the ESR that it costs.
MOVING_SAMPLES, MOVING_SECONDS = 6.0, 0.0008
STEP_SHARE, WAVE_SHARE = 0.25, 0.4
MOVING_ESR = 0.008


def check(case: Case) -> Outcome:
    # Steps, fades, gaps and samples that are held are modulations too; another take has another lag, as a later part
    # with another latency has.
    if case.model is None or case.change or is_broken(case) or moved_volume(case):
        return Outcome()
    found, moves = case.modulation, case.moving_lag.moves
    measured: dict[str, Any] = {"share": found.share, "hertz": found.hertz, "kind": found.kind}
    figures = {"modulation": measured, "moving_lag": moves}
    if swings(case):
        evidence = measured | {"esr": found.share * case.model.esr}
    else:
        evidence = {"kind": "lag", "moves": moves, "esr": case.model.esr}
    fix = "switch the modulation off (tremolo, vibrato, chorus, phaser, ring modulator) and record the target again"
    return TIME_VARIANT.at(evidence["esr"]).outcome(is_moving(case), fix, evidence, figures)


def is_moving(case: Case) -> bool:
    """Whether a modulation or a moving lag explains enough of what the model leaves."""
    assert case.model is not None
    if swings(case):
        return True
    lag, farthest = case.moving_lag, max(MOVING_SAMPLES, MOVING_SECONDS * case.rate)
    is_smooth = lag.step <= STEP_SHARE * lag.moves and lag.wave >= WAVE_SHARE
    return lag.moves >= farthest and is_smooth and case.model.esr >= MOVING_ESR


def swings(case: Case) -> bool:
    """Whether a modulation explains enough of what the model leaves."""
    assert case.model is not None
    found = case.modulation
    cost = found.share * case.model.esr
    least = SHARES[found.kind] if cost >= SMALL_ESR else max(SHARES[found.kind], SURE_SHARE)
    usual = found.share >= least and cost >= SMALLEST_ESR
    return usual or (found.share >= SMALLER_SHARE and cost >= LARGER_ESR)
