"""Does the effect move with time, whatever is played, as an oscillator makes it?"""

from typing import Any

from dl4j_bridge.diagnostics import modulation
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.automation import movement
from dl4j_bridge.diagnostics.recordings.resolution import is_crushed

TIME_VARIANT = Kind("time-variant")

# Share of what the fixed model leaves that a modulation must explain, and the ESR that it costs.
SHARES = {"gain": 0.2, "delay": 0.2, "response": 0.25, "multiplied": 0.3}
SMALLEST_ESR = 0.0015
# A smaller share is enough if it costs more.
SMALLER_SHARE, LARGER_ESR = 0.12, 0.01
# A lag that moves by this number of samples in steps that are this share of it, and the ESR that it costs.
MOVING_SAMPLES = 3.0
STEP_SHARE = 0.25
MOVING_ESR = 0.002


def check(case: Case) -> Outcome:
    # Steps and fades are modulations too, and so are samples that are held.
    if case.model is None or is_crushed(case) or movement(case.model):
        return Outcome()
    found = modulation.find(case.model)
    moves, step = modulation.moving_lag(case.model)
    cost = found.share * case.model.esr
    measured: dict[str, Any] = {"share": found.share, "hertz": found.hertz, "kind": found.kind}
    figures = {"modulation": measured, "moving_lag": moves}
    swings = found.share >= SHARES[found.kind] and cost >= SMALLEST_ESR
    swings |= found.share >= SMALLER_SHARE and cost >= LARGER_ESR
    wanders = moves >= MOVING_SAMPLES and step <= STEP_SHARE * moves and case.model.esr >= MOVING_ESR
    evidence = measured | {"esr": cost} if swings else {"kind": "lag", "moves": moves, "esr": case.model.esr}
    fix = "switch the modulation off (tremolo, vibrato, chorus, phaser, ring modulator) and record the target again"
    return TIME_VARIANT.outcome(swings or wanders, fix, evidence, figures)
