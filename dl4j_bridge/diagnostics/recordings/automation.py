"""Does somebody turn the target's volume on the way?"""

from dataclasses import dataclass

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel, frame_products, level
from dl4j_bridge.diagnostics.relation import Floats

LEVEL_AUTOMATION = Kind("level-automation")

FRAME_SECONDS = 0.2
# Frames that count: not quiet, and largely explained.
QUIET = 1e-3
EXPLAINED = 0.5
FEWEST_FRAMES = 12
# Times within which the level follows the input.
LEVEL_SECONDS = (0.1, 1.0)
# A step has this number of frames on either side.
SIDE_FRAMES = 4
# What a step or a fade must come to, and the share it must explain of what the input's level leaves of the gain.
SMALLEST_DB = 1.4
SHARE = 0.77
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
    at
        First and last sample of a fade, or the samples of the steps.
    """

    shape: str
    decibels: float
    share: float
    at: list[int]


def check(case: Case) -> Outcome:
    found = movement(case.model) if case.model else None
    if found is None:
        return Outcome()
    seconds = [round(case.seconds_at(at), 2) for at in found.at]
    evidence = {"shape": found.shape, "decibels": found.decibels, "share": found.share, "seconds": seconds}
    places = " to ".join(map(str, seconds)) if found.shape == "fade" else " and ".join(map(str, seconds))
    fix = f"undo the {found.shape} of {found.decibels:+.1f} dB in the target ({places} s)"
    return LEVEL_AUTOMATION.outcome(True, fix, evidence, {})


def movement(model: FixedModel) -> Movement | None:
    """What `moved` finds in a model; None for a recording with too few loud parts."""
    times, gain, loudness = gains(model)
    return moved(times, gain, loudness) if times.size >= FEWEST_FRAMES else None


def gains(model: FixedModel) -> tuple[Floats, Floats, Floats]:
    """Times in samples, gain of the target over its prediction in dB, and levels of the input in dB, by frame."""
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
    return times, np.asarray(20 * np.log10(yp[counts] / p[counts]), np.float64), loudness


def moved(times: Floats, gain: Floats, loudness: Floats) -> Movement | None:
    """The fade, or the one or two steps, that explain most of the gain that the levels do not; None if too little."""
    level_part = loudness - loudness.mean(axis=0)
    base = np.asarray(np.column_stack([np.ones(times.size), level_part, level_part**2 / 10]), np.float64)
    energy = max(float(np.sum(_left(base, gain) ** 2)), 1e-12)
    edges = np.arange(SIDE_FRAMES, times.size - SIDE_FRAMES)
    steps = (np.arange(times.size)[:, None] >= edges).astype(np.float64) - 0.5
    ramp = np.asarray((times - times[0]) / (times[-1] - times[0]) - 0.5, np.float64)
    found = []
    for shape, shapes, most in (("fade", ramp[:, None], 1), ("step", steps, 2)):
        columns = base
        for _ in range(most):
            # A second step must explain much that the first one does not.
            if columns is not base and float(np.sum(_left(columns, gain) ** 2)) < (1 - ENOUGH) * energy:
                break
            best = _best(columns, gain, shapes)
            columns = columns if best is None else np.asarray(np.column_stack([columns, best]), np.float64)
        added = columns[:, base.shape[1] :]
        if not added.size:
            continue
        sizes = np.linalg.lstsq(columns, gain, rcond=1e-6)[0][base.shape[1] :]
        share = 1 - float(np.sum(_left(columns, gain) ** 2)) / energy
        ends = times[[0, -1]] if shape == "fade" else times[np.argmax(added > 0, axis=0)]
        decibels = float(sizes[np.abs(sizes).argmax()])
        found.append(Movement(shape, decibels, share, [int(at) for at in np.sort(ends)]))
    found = [each for each in found if abs(each.decibels) >= SMALLEST_DB and each.share >= SHARE]
    return max(found, key=lambda each: each.share, default=None)


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
