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
SMALLEST_DB = 1.5
SHARE = 0.6


def check(case: Case) -> Outcome:
    if case.model is None:
        return Outcome()
    times, gain, loudness = gains(case.model)
    found = moved(times, gain, loudness) if times.size >= FEWEST_FRAMES else None
    if found is None:
        return Outcome()
    found["seconds"] = [round(case.seconds_at(int(at)), 2) for at in found["seconds"]]
    kind = "fades" if found["shape"] == "fade" else "changes"
    fix = f"undo it in the target: its gain {kind} by {found['decibels']:+.1f} dB ({found['seconds']} s)"
    return LEVEL_AUTOMATION.outcome(True, fix, found, {})


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
    """The step or the fade that explains most of the gain that the levels do not; None if none explains enough."""
    level_part = loudness - loudness.mean(axis=0)
    base = np.column_stack([np.ones(times.size), level_part, level_part**2 / 10])
    left = _left(base, gain)
    best: tuple[float, dict[str, Any]] = (0.0, {})
    ramp = (times - times[0]) / (times[-1] - times[0]) - 0.5
    shapes = [("fade", ramp, [times[0], times[-1]])]
    for at in range(SIDE_FRAMES, times.size - SIDE_FRAMES):
        shapes.append(("step", (np.arange(times.size) >= at) - 0.5, [(times[at - 1] + times[at]) / 2]))
    for shape, column, where in shapes:
        # What the levels explain of the shape is not to be held against the gain.
        own = _left(base, column)
        power = float(np.dot(own, own))
        if power < 0.05 * float(np.dot(column, column)):
            continue
        decibels = float(np.dot(own, left) / power)
        share = decibels**2 * power / max(float(np.dot(left, left)), 1e-12)
        if abs(decibels) >= SMALLEST_DB and share > best[0]:
            best = share, {"shape": shape, "decibels": decibels, "share": share, "seconds": where}
    return best[1] if best[0] >= SHARE else None


def _left(columns: Floats, values: Floats) -> Floats:
    weights = np.linalg.lstsq(columns, values, rcond=1e-6)[0]
    return np.asarray(values - columns @ weights)
