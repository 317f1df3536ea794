"""Does somebody turn the target's volume on the way?"""

from dataclasses import dataclass

import numpy as np

from dl4j_bridge.diagnostics.case import Case, once
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel, frame_products, level
from dl4j_bridge.diagnostics.recordings.broken import is_broken
from dl4j_bridge.diagnostics.recordings.clipping import is_mangled
from dl4j_bridge.diagnostics.relation import Floats

LEVEL_AUTOMATION = Kind("level-automation")

FRAME_SECONDS = 0.2
# Frames that count: not quiet, and largely explained.
QUIET = 1e-3
EXPLAINED = 0.7
FEWEST_FRAMES = 12
# Times within which the level follows the input.
LEVEL_SECONDS = (0.1, 1.0)
# A step has this number of frames on either side.
SIDE_FRAMES = 4
# What a step or a fade must come to, and the share it must explain of what the input's level leaves of the gain.
# The larger it is, the smaller may its share be.
SMALLEST_DB = 1.0
SHARE = 0.6
TO_REST_DB = 2.4
# ESR that it must cost. Of what the fixed model leaves, it must cost a share and can cost a multiple, both of which
# depend on its own share. What else is left, such as that of a filter that swings, came to 0.07, and fades to 0.19.
SMALLEST_ESR = 0.0015
OF_RESIDUAL, MOST_OF_RESIDUAL = 0.17, 4.0
# Usual error of the gain of a frame, and the steepest change of the gain with the level that is expected, in dB per dB.
USUAL_ERROR_DB, STEEPEST = 0.3, 1.0
# With this share, no second step is looked for.
ENOUGH = 0.9
# Share of a step or fade that the levels must not explain, or nothing is known of it.
SHAPE_LEFT = 0.05


@dataclass(frozen=True)
class Movement:
    """A gain that moves.

    Attributes
    ----------
    shape
        ``fade`` or ``step``.
    decibels
        The largest change.
    share
        Share of the gain's changes that it explains, of those that the input's level does not.
    esr
        What it costs a model whose gain is fixed.
    at
        First and last sample of a fade, or the samples of the steps.
    """

    shape: str
    decibels: float
    share: float
    esr: float
    at: list[int]


def check(case: Case) -> Outcome:
    found = moved_volume(case)
    if found is None:
        return Outcome()
    seconds = [round(case.seconds_at(at), 2) for at in found.at]
    evidence = {"shape": found.shape, "decibels": found.decibels, "share": found.share, "esr": found.esr}
    evidence |= {"seconds": seconds}
    places = " to ".join(map(str, seconds)) if found.shape == "fade" else " and ".join(map(str, seconds))
    fix = f"undo the {found.shape} of {found.decibels:+.1f} dB in the target ({places} s)"
    return LEVEL_AUTOMATION.at(found.esr).outcome(True, fix, evidence, {})


@once
def moved_volume(case: Case) -> Movement | None:
    """The fade or the steps of the target's volume; None if something else explains more of what the model leaves."""
    model = case.model
    if model is None or case.change or is_broken(case) or is_mangled(case):
        return None
    times, gain, loudness, weights = gains(case.without_hum)
    if times.size < FEWEST_FRAMES:
        return None
    found = moved(times, gain, loudness, weights)
    if found is None or found.esr > MOST_OF_RESIDUAL * found.share * model.esr:
        return None
    least = OF_RESIDUAL / found.share * model.esr
    others = max(SMALLEST_ESR, least, case.modulation.share * model.esr, case.late.esr)
    return found if found.esr >= others else None


def gains(model: FixedModel) -> tuple[Floats, Floats, Floats, Floats]:
    """Times in samples, gain of the target over its prediction in dB, levels of the input in dB, and shares of energy.

    All are by frame; the levels have several columns.
    """
    size = round(FRAME_SECONDS * model.rate)
    yp, y, p, x = (
        frame_products(a, b, size)
        for a, b in (
            (model.y, model.prediction),
            (model.y, model.y),
            (model.prediction, model.prediction),
            (model.x, model.x),
        )
    )
    counts = (yp > 0) & (y > QUIET * y.max()) & (yp**2 > EXPLAINED * y * p)
    levels = [level(model.x, model.rate, seconds)[size // 2 :: size][: y.size] for seconds in LEVEL_SECONDS]
    levels.append(np.sqrt(x / size))
    loudness = np.asarray(20 * np.log10(np.stack(levels, 1)[counts] + 1e-4 * float(model.x.std())), np.float64)
    times = np.asarray((np.flatnonzero(counts) + 0.5) * size, np.float64)
    gain = np.asarray(20 * np.log10(yp[counts] / p[counts]), np.float64)
    return times, gain, loudness, np.asarray(y[counts] / max(float(y.sum()), 1e-30), np.float64)


def moved(times: Floats, gain: Floats, loudness: Floats, weights: Floats) -> Movement | None:
    """The fade, or the one or two steps, that explain most of the gain that the levels do not; None if too little.

    Parameters are those that `gains` returns.
    """
    level_part = loudness - loudness.mean(axis=0)
    known = np.asarray(np.column_stack([np.ones(times.size), level_part, level_part**2 / 10]), np.float64)
    # Rows that keep the slopes small: no effect turns the volume by much more than the level changes.
    slopes = np.eye(known.shape[1])[1:] * (USUAL_ERROR_DB / STEEPEST)
    base = np.vstack([known, slopes])

    def extended(values: Floats) -> Floats:
        return np.concatenate([values, np.zeros((len(slopes), *values.shape[1:]))])

    wanted = extended(gain)
    energy = max(float(np.sum(_left(base, wanted) ** 2)), 1e-12)
    edges = np.arange(SIDE_FRAMES, times.size - SIDE_FRAMES)
    steps = (np.arange(times.size)[:, None] >= edges).astype(np.float64) - 0.5
    ramp = np.asarray((times - times[0]) / (times[-1] - times[0]) - 0.5, np.float64)
    # A fade to silence bends in decibels.
    bent = np.column_stack([ramp, ramp**2 - np.mean(ramp**2)])
    found = []
    for shape, shapes, most in (("fade", bent, 2), ("step", steps, 2)):
        columns, shapes = base, extended(shapes)
        for _ in range(most):
            # A second step must explain much that the first one does not.
            if columns is not base and float(np.sum(_left(columns, wanted) ** 2)) < (1 - ENOUGH) * energy:
                break
            best = _best(columns, wanted, shapes)
            columns = columns if best is None else np.asarray(np.column_stack([columns, best]), np.float64)
        added = columns[: times.size, base.shape[1] :]
        if not added.size:
            continue
        sizes = np.linalg.lstsq(columns, wanted, rcond=1e-6)[0][base.shape[1] :]
        share = 1 - float(np.sum(_left(columns, wanted) ** 2)) / energy
        ends = times[[0, -1]] if shape == "fade" else times[np.argmax(added > 0, axis=0)]
        curve = added @ sizes
        decibels = float(curve[-1] - curve[0]) if shape == "fade" else float(sizes[np.abs(sizes).argmax()])
        off = np.log(10) / 20 * (curve - np.average(curve, weights=weights))
        esr = float(np.dot(weights, off**2))
        found.append(Movement(shape, decibels, share, esr, [int(at) for at in np.sort(ends)]))
    return max(filter(_is_sure, found), key=lambda each: each.share, default=None)


def _is_sure(found: Movement) -> bool:
    """Whether a movement is large, explains much, and is many times as large as what it does not explain."""
    to_rest = abs(found.decibels) * np.sqrt(found.share / max(1 - found.share, 1e-3))
    return abs(found.decibels) >= SMALLEST_DB and found.share >= SHARE and bool(to_rest >= TO_REST_DB)


def _best(base: Floats, gain: Floats, columns: Floats) -> Floats | None:
    """The column that explains most of what `base` leaves of the gain; what `base` explains of it does not count."""
    left, own = _left(base, gain), _left(base, columns)
    power = (own**2).sum(axis=0)
    valid = power > SHAPE_LEFT * (columns**2).sum(axis=0)
    if not valid.any():
        return None
    explained = np.where(valid, (left @ own) ** 2 / np.maximum(power, 1e-12), -1)
    return np.asarray(columns[:, explained.argmax()])


def _left(columns: Floats, values: Floats) -> Floats:
    weights = np.linalg.lstsq(columns, values, rcond=1e-6)[0]
    return np.asarray(values - columns @ weights)
