"""Is there sound in the target that is not made from the input, so that no model can be better than that?"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics import noise
from dl4j_bridge.diagnostics.case import Case, once
from dl4j_bridge.diagnostics.evidence import in_words
from dl4j_bridge.diagnostics.findings import WARNING, Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel, frame_products
from dl4j_bridge.diagnostics.noise import Floor
from dl4j_bridge.diagnostics.recordings.broken import is_mistaken
from dl4j_bridge.diagnostics.recordings.dropouts import dropouts
from dl4j_bridge.diagnostics.recordings.resolution import rounding_esr
from dl4j_bridge.diagnostics.recordings.time_variant import is_moving

NOISE_FLOOR = Kind("noise-floor", WARNING)

# The ESR that noise, and a hum that is certain, must cost to be worth a word.
SMALLEST_ESR = 1e-3
SMALLEST_HUM_ESR = 2e-5
# Share of what the fixed model leaves that comes from longer ago, from which on it is not taken for noise.
OF_RESIDUAL = 0.2
# A modulation makes tones too: a hum beside it has this share of what is left.
BESIDE_MODULATION = 0.1
# Noise is told from rounding if it is this many times as loud.
CERTAIN = 1.5
# Frames in which this much more is left than usual are gaps.
MUCH_MORE = 8.0
# Share of the frames that are left then, at least.
MOST = 0.8


@dataclass(frozen=True)
class BestEsr:
    """The ESR that no model of a pair can beat.

    Attributes
    ----------
    esr
        Energy of what is not made from the input, relative to that of the target.
    evidence
        What it follows from: ``pauses``, ``levels``, ``repeats`` and ``hum`` as in `noise.Floor`, each where it was
        found, and ``hum_hertz``.
    """

    esr: float
    evidence: dict[str, Any]

    @property
    def facts(self) -> list[str]:
        """The evidence in words."""
        return in_words(NOISE_FLOOR.code, self.evidence)

    def on(self, power: float, whole: float) -> "BestEsr":
        """The same on a part whose mean power is `power`, where that of the whole is `whole`: the noise is the same."""
        ratio = whole / max(power, 1e-30)
        scaled = {name: value * ratio for name, value in self.evidence.items() if isinstance(value, float)}
        return BestEsr(self.esr * ratio, self.evidence | scaled)

    def as_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {"esr": self.esr, "evidence": self.evidence, "facts": self.facts}


def check(case: Case) -> Outcome:
    best = best_esr(case)
    if best is None:
        return Outcome(figures={"best_esr": None})
    hum = best.evidence.get("hum", 0.0)
    noisy = max((best.evidence.get(name, 0.0) for name in ("pauses", "levels", "repeats")), default=0.0)
    found = noisy >= SMALLEST_ESR or hum >= SMALLEST_HUM_ESR
    tones = ", ".join(f"{hertz:g}" for hertz in best.evidence.get("hum_hertz", []))
    less = f"hum ({tones} Hz)" if hum > noisy / 2 else "noise"
    fix = f"no model's ESR can be below {best.esr:.2g}: record the target again with less {less}"
    evidence = {"best_esr": best.esr} | best.evidence
    return NOISE_FLOOR.outcome(found, fix, evidence, {"best_esr": best.esr, "noise": best.evidence})


@once
def best_esr(case: Case) -> BestEsr | None:
    """The ESR that no model of this pair can beat; None where nothing bounds it."""
    if case.model is None or is_mistaken(case):
        return None
    floor, broken = case.floor, dropouts(case)
    if broken.get("clicks_in_target"):
        # They may be everywhere, as noise is.
        return None
    if any(broken.values()):
        floor = replace(_between_dropouts(case.model), hum=floor.hum, hertz=floor.hertz)
    elif is_moving(case):
        # What the fixed model leaves has another cause then.
        small = case.change is None and (floor.hum or 0.0) < BESIDE_MODULATION * case.model.esr
        hum = None if small else floor.hum
        floor = replace(floor, pauses=None, levels=None, repeats=None, hum=hum)
    elif case.missed.esr > OF_RESIDUAL * case.model.esr:
        floor = replace(floor, levels=None)
    if floor.levels is not None:
        # Rounding is left too, but a network may learn it.
        rounding = rounding_esr(case)
        floor = replace(floor, levels=floor.levels - rounding if floor.levels > CERTAIN * rounding else None)
    if floor.esr is None:
        return None
    named = {"pauses": floor.pauses, "levels": floor.levels, "repeats": floor.repeats, "hum": floor.hum}
    evidence: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return BestEsr(floor.esr, evidence | ({"hum_hertz": list(floor.hertz)} if floor.hertz else {}))


def _between_dropouts(model: FixedModel) -> Floor:
    """What is measured without the frames in which much more is left than usual, and those beside them."""
    from scipy.ndimage import maximum_filter1d

    size = round(noise.FRAME_SECONDS * model.rate)
    left = frame_products(model.residual, model.residual, size)
    keep = np.repeat(~maximum_filter1d(left > MUCH_MORE * np.median(left), 3), size)
    if np.mean(keep) < MOST:
        return Floor()
    return noise.measure(model.cut(np.flatnonzero(keep)))
