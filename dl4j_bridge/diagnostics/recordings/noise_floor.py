"""Is there sound in the target that is not made from the input, so that no model can be better than that?"""

from dataclasses import replace
from typing import Any

from dl4j_bridge.diagnostics import noise
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Kind, Outcome
from dl4j_bridge.diagnostics.recordings.dropouts import has_dropouts
from dl4j_bridge.diagnostics.recordings.memory import is_late
from dl4j_bridge.diagnostics.recordings.resolution import is_crushed, rounding_esr
from dl4j_bridge.diagnostics.recordings.takes import wrong_parts
from dl4j_bridge.diagnostics.recordings.time_variant import is_moving

NOISE_FLOOR = Kind("noise-floor", WARNING)

# The ESR that noise, and a hum that is certain, must cost to be worth a word.
SMALLEST_ESR = 1e-3
SMALLEST_HUM_ESR = 2e-5


def check(case: Case) -> Outcome:
    if case.model is None or is_crushed(case) or has_dropouts(case.model) or wrong_parts(case.model):
        return Outcome()
    best, evidence = best_esr(case)
    hum = evidence.get("hum") or 0.0
    noisy = max((evidence.get(name) or 0.0 for name in ("pauses", "levels", "repeats")), default=0.0)
    found = noisy - (evidence.get("rounding") or 0.0) >= SMALLEST_ESR or hum >= SMALLEST_HUM_ESR
    fix = f"no model's ESR can be below {best or 0:.2g}: record the target again with less "
    fix += (
        f"hum ({', '.join(f'{hertz:g}' for hertz in evidence.get('hum_hertz', []))} Hz)" if hum > noisy / 2 else "noise"
    )
    return NOISE_FLOOR.outcome(found, fix, {"best_esr": best} | evidence, {"best_esr": best, "noise": evidence})


def best_esr(case: Case) -> tuple[float | None, dict[str, Any]]:
    """The ESR that no model of this pair can beat, and its evidence; None where nothing bounds it.

    Returns
    -------
    esr
        Energy of noise, hum and rounding relative to that of the target.
    evidence
        ``pauses``, ``levels``, ``repeats`` and ``hum`` as in `noise.Floor`, each where it was found; ``rounding``, the
        part that the target's sample format adds.
    """
    if case.model is None:
        return None, {}
    floor = noise.measure(case.model)
    if is_moving(case):
        # What the fixed model leaves has another cause then.
        floor = replace(floor, levels=None, repeats=None)
    elif is_late(case):
        floor = replace(floor, levels=None)
    named = {"pauses": floor.pauses, "levels": floor.levels, "repeats": floor.repeats, "hum": floor.hum}
    evidence: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if floor.hertz:
        evidence["hum_hertz"] = list(floor.hertz)
    rounding = rounding_esr(case)
    if rounding:
        evidence["rounding"] = rounding
    # Where a difference of levels or repeats was measured, the rounding is in it.
    other = floor.esr if floor.levels is None else max(floor.levels - rounding, 0.0)
    total = (other or 0.0) + rounding
    return (total or None), evidence
