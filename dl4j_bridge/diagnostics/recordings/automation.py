"""Does somebody turn the target's volume on the way?"""

from typing import Any

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel, level
from dl4j_bridge.diagnostics.relation import Floats

LEVEL_AUTOMATION = Kind("level-automation")

FRAME_SECONDS = 0.2
# Frames that count: not quiet, and largely explained.
QUIET = 1e-3
EXPLAINED = 0.5
FEWEST_FRAMES = 12
# A step has this number of frames on either side.
SIDE_FRAMES = 4
# What a step or a fade must come to, and the share it must explain of what the input's level leaves of the gain.
SMALLEST_DB = 1.0
SHARE = 0.75
# Share of a step or fade that the levels must not explain, or nothing is known of it.
SHAPE_LEFT = 0.05


def check(case: Case) -> Outcome:
    if case.model is None:
        return Outcome()
    found = movement(case.model)
    if found is None:
        return Outcome()
    found["seconds"] = [round(case.seconds_at(int(at)), 2) for at in found["seconds"]]
    kind = "fades" if found["shape"] == "fade" else "changes"
    fix = f"undo it in the target: its gain {kind} by {found['decibels']:+.1f} dB ({found['seconds']} s)"
    return LEVEL_AUTOMATION.outcome(True, fix, found, {})


def movement(model: FixedModel) -> dict[str, Any] | None:
    """What `moved` finds in a model; None for a recording with too few loud parts."""
    times, gain, loudness = gains(model)
    return moved(times, gain, loudness) if times.size >= FEWEST_FRAMES else None


def gains(model: FixedModel) -> tuple[Floats, Floats, Floats]:
    """Times in samples, gain of the target over its prediction in dB, and levels of the input in dB, by frame."""
    size = round(FRAME_SECONDS * model.rate)
    count = model.y.size // size

    def energy(a: Floats, b: Floats) -> Floats:
        return (a[: count * size] * b[: count * size]).reshape(count, size).sum(axis=1)

    yp, y, p = energy(model.y, model.prediction), energy(model.y, model.y), energy(model.prediction, model.prediction)
    counts = (yp > 0) & (y > QUIET * y.max()) & (yp**2 > EXPLAINED * y * p)
    levels = [level(model.x, model.rate, seconds)[size // 2 :: size][:count] for seconds in (0.1, 1.0)]
    levels.append(np.sqrt(energy(model.x, model.x) / size))
    loudness = 20 * np.log10(np.stack(levels, 1)[counts] + 1e-4 * float(model.x.std()))
    times = (np.flatnonzero(counts) + 0.5) * size
    return times, 20 * np.log10(yp[counts] / p[counts]), loudness


def moved(times: Floats, gain: Floats, loudness: Floats) -> dict[str, Any] | None:
    """The fade, or the one or two steps, that explain most of the gain that the levels do not.

    Returns
    -------
    dict or None
        ``shape``, ``decibels`` (the largest change), ``share`` (explained) and ``seconds`` (in samples here). None if
        nothing explains enough.
    """
    level_part = loudness - loudness.mean(axis=0)
    base = np.column_stack([np.ones(times.size), level_part, level_part**2 / 10])
    left = _left(base, gain)
    energy = max(float(np.dot(left, left)), 1e-12)
    steps = [(np.arange(times.size) >= at) - 0.5 for at in range(SIDE_FRAMES, times.size - SIDE_FRAMES)]
    ramp = (times - times[0]) / (times[-1] - times[0]) - 0.5
    found = []
    for shape, first in (("fade", [ramp]), ("step", steps)):
        column = _best(base, left, first)
        if column is None:
            continue
        columns = [column]
        if shape == "step":
            second = _best(np.column_stack([base, column]), _left(np.column_stack([base, column]), gain), steps)
            columns += [second] if second is not None else []
        everything = np.column_stack([base, *columns])
        sizes = np.linalg.lstsq(everything, gain, rcond=1e-6)[0][-len(columns) :]
        rest = _left(everything, gain)
        share = 1 - float(np.dot(rest, rest)) / energy
        largest = int(np.abs(sizes).argmax())
        where = [times[0], times[-1]] if shape == "fade" else [times[int(np.argmax(each > 0))] for each in columns]
        found.append({"shape": shape, "decibels": float(sizes[largest]), "share": share, "seconds": where})
    found = [each for each in found if abs(each["decibels"]) >= SMALLEST_DB and each["share"] >= SHARE]
    return max(found, key=lambda each: each["share"], default=None)


def _best(base: Floats, left: Floats, columns: list[Floats]) -> Floats | None:
    """The column that explains most of what `base` leaves; what `base` explains of a column does not count."""
    if not columns:
        return None
    stacked = np.stack(columns, 1).astype(np.float64)
    own = stacked - base @ np.linalg.lstsq(base, stacked, rcond=1e-6)[0]
    power = (own**2).sum(axis=0)
    valid = power > SHAPE_LEFT * (stacked**2).sum(axis=0)
    if not valid.any():
        return None
    explained = np.where(valid, (left @ own) ** 2 / np.maximum(power, 1e-12), -1)
    return columns[int(explained.argmax())]


def _left(columns: Floats, values: Floats) -> Floats:
    weights = np.linalg.lstsq(columns, values, rcond=1e-6)[0]
    return np.asarray(values - columns @ weights)
