"""Is all of the target made from the input, or is part of it something else?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case, once
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel, frame_products
from dl4j_bridge.diagnostics.relation import Floats

WRONG_TAKE = Kind("wrong-take")

FRAME_SECONDS = 0.05
# Frames over which the target is compared with its prediction.
SMOOTHED = 5
# Squared correlation below which nothing is in common, and the one that most of the recording has at least.
NOTHING, USUAL = 0.15, 0.6
USUAL_SHARE = 0.25
SHORTEST_SECONDS = 0.3
# Frames this far below the loudest ones hold nothing to compare.
QUIET = 1e-3
# In another take, the fixed model leaves this many times as much as usual. Noise and echoes are about as loud
# everywhere; they are no other take where a filter lets little of the sound through.
LOUDER = 3.0
# Correlation of what is left in a part with the late response, from which on it is an echo: echoes and reverberations
# of speech came to 0.66 or more, other takes to 0.07.
ECHO = 0.4


def check(case: Case) -> Outcome:
    if case.model is None:
        return Outcome()
    parts = [
        {"from": round(case.seconds_at(start), 2), "to": round(case.seconds_at(stop - 1), 2), "agreement": agreement}
        for start, stop, agreement in wrong_takes(case)
    ]
    agreement = agreements(case.without_hum)
    figures = {"agreement": float(np.nanmedian(agreement)) if np.isfinite(agreement).any() else None}
    places = [f"{part['from']:.1f} to {part['to']:.1f}" for part in parts]
    evidence = {"parts": parts, "seconds": places, "usual_agreement": figures["agreement"]}
    fix = f"cut {', '.join(places)} s out of both recordings, or replace it by the right take"
    return WRONG_TAKE.outcome(bool(parts), fix, evidence, figures)


@once
def wrong_takes(case: Case) -> list[tuple[int, int, float]]:
    """What `wrong_parts` finds and is no echo; nothing after a change of the latency, which looks alike."""
    if case.model is None or case.change:
        return []
    return [part for part in wrong_parts(case.without_hum) if not _is_echo(case, *part[:2])]


def wrong_parts(model: FixedModel) -> list[tuple[int, int, float]]:
    """Parts that have nothing in common with the prediction: first sample, sample after the last, and agreement."""
    agreement, frame = agreements(model), round(FRAME_SECONDS * model.rate)
    parts = [
        (start * frame, stop * frame, float(np.nanmedian(agreement[start:stop])))
        for start, stop in foreign_parts(agreement)
    ]
    left = frame_products(model.residual, model.residual, frame) / frame
    usual = np.median(left[agreement > USUAL]) if parts else 0.0
    loud = [part for part in parts if np.mean(np.square(model.residual[part[0] : part[1]])) > LOUDER * usual]
    return [part for part in loud if not _is_shifted(model, *part[:2])]


def _is_echo(case: Case, start: int, stop: int) -> bool:
    """Whether the response to what came before the part explains it."""
    late, left = case.missed.made[start:stop], case.without_hum.residual[start:stop]
    left = left[: late.size]
    return bool(np.dot(left, late) > ECHO * np.sqrt(np.dot(left, left) * np.dot(late, late)))


def agreements(model: FixedModel) -> Floats:
    """Squared correlation of target and prediction around each frame; NaN where one or the prediction is quiet."""
    size = round(FRAME_SECONDS * model.rate)

    def energy(a: Floats, b: Floats) -> Floats:
        return np.convolve(frame_products(a, b, size), np.ones(SMOOTHED), "same")

    y, p, x = (energy(each, each) for each in (model.y, model.prediction, model.x))
    agreement = energy(model.y, model.prediction) ** 2 / np.maximum(y * p, 1e-30)
    quiet = [each < QUIET * each.max() for each in (y, p, x)]
    return np.where(np.any(quiet, axis=0), np.nan, agreement)


def foreign_parts(agreement: Floats) -> list[tuple[int, int]]:
    """Runs of frames that have nothing in common, if most others have; (start, stop) in frames."""
    known = agreement[np.isfinite(agreement)]
    if not known.size or np.mean(known > USUAL) < USUAL_SHARE:
        return []
    strange = np.concatenate([[False], agreement < NOTHING, [False]])
    change = np.flatnonzero(np.diff(strange.astype(np.int8)))
    shortest = SHORTEST_SECONDS / FRAME_SECONDS
    runs = zip(change[::2].tolist(), change[1::2].tolist(), strict=True)
    return [(start, stop) for start, stop in runs if stop - start >= shortest]


def _is_shifted(model: FixedModel, start: int, stop: int) -> bool:
    """Whether the prediction of another time, up to a quarter of the part away, agrees as usual."""
    from scipy.signal import correlate

    reach = (stop - start) // 4
    part, around = model.y[start:stop], model.prediction[max(start - reach, 0) : stop + reach]
    energy = np.cumsum(np.r_[0.0, around**2])
    match = correlate(around, part, "valid") ** 2
    energies = (energy[part.size :] - energy[: -part.size])[: match.size]
    return bool(np.max(match / np.maximum(energies * np.dot(part, part), 1e-30), initial=0.0) > USUAL)
