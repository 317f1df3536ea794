"""Are there gaps or clicks in one recording that the other one does not have?"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.case import Case, once
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel
from dl4j_bridge.diagnostics.recordings.resolution import is_crushed, level_step
from dl4j_bridge.diagnostics.recordings.takes import wrong_takes
from dl4j_bridge.diagnostics.relation import Floats

Places = npt.NDArray[np.integer]

DROPOUTS = Kind("dropouts")

# A gap is a run of near silence of this length, below this share of the recording's level, that starts or ends at once:
# the level next to it is still this share of the level a little further away. A natural decay fades.
SHORTEST_GAP_SECONDS = 0.0015
SILENT_SHARE = 1e-3
EDGE_SECONDS, NEAR_SECONDS = 0.002, 0.02
EDGE_SHARE = 0.3
# In 8 bits, a sound is silent as soon as it is softer than a step: then its edge has a level of several steps.
STEPS_OF_EDGE = 8
# The other recording is this loud in the gap, relative to its own level, and where it is that loud elsewhere, few
# frames are silent: a gate is silent wherever its input is quiet. Where the other one is louder than usual, more frames
# may be silent, since no gate is closed there.
LOUD_SHARE = 0.1
FRAME_SECONDS = 0.005
SILENT_FRAMES_SHARE, SILENT_LOUD_FRAMES_SHARE = 0.1, 0.4
# A click stands out from the samples around it by this factor, and from nearly all samples of the recording by that.
CLICK_TO_NEAR = 12.0
CLICK_TO_USUAL = 3.0
USUAL_SHARE = 0.999
FEWEST_CLICKS = 4
# Of what the model leaves, a lone sample has this share of the target's peak, and is this many times as large as the
# four samples around it and as most.
LONE_SHARE, LONE_TO_NEAR, LONE_TO_USUAL = 0.4, 3.0, 20.0
# How much more the target bends there than within the eight samples before and after.
LONE_BEND = 1.5
# Sizes of buffers that are played twice, and the share of one that must be the same.
BUFFERS = (64, 128, 256, 512, 1024, 2048, 4096, 441, 480, 882, 960)
REPEATED_SHARE = 0.8
# Times that are listed.
LISTED = 20


def check(case: Case) -> Outcome:
    places = dropouts(case)
    found: dict[str, Any] = {
        name: [round(case.seconds_at(at), 3) for at in where[:LISTED]] for name, where in places.items() if where
    }
    count = {name: len(where) for name, where in places.items() if where}
    fix = "record again with a larger buffer; or cut the seconds around these times out of both recordings"
    return DROPOUTS.outcome(bool(found), fix, found | {"count": count}, {"dropouts": count})


@once
def dropouts(case: Case) -> dict[str, list[int]]:
    """First samples of gaps, repeated buffers and clicks; samples that are held are none."""
    if case.model is None or is_crushed(case):
        return {}
    x, y, rate = case.model.x, case.model.y, case.rate
    clicked = max(clicks(y, x, rate), lone_samples(case.model), key=len)
    # At the ends the model lacks the past or the future, and it knows nothing of another take.
    clicked = [at for at in clicked if case.model.size < at < y.size - case.model.size]
    others = wrong_takes(case)
    return {
        "gaps_in_input": gaps(x, y - np.median(y), rate),
        # Another take has its own rests.
        "gaps_in_target": [at for at in gaps(y, x, rate) if not any(start <= at < stop for start, stop, _ in others)],
        # With a longer delay, some of the target comes a second time.
        "repeated_in_target": [] if case.change else repeats(y, x, rate),
        "clicks_in_target": clicked if len(clicked) >= FEWEST_CLICKS and not others else [],
    }


def gaps(side: Floats, other: Floats, rate: int) -> list[int]:
    """Starts of gaps in one recording in which the other one goes on."""
    loud = float(np.sqrt(np.mean(side**2)))
    other_loud = float(np.sqrt(np.mean(other**2)))
    starts, stops = _silent_runs(side, SILENT_SHARE * loud, round(SHORTEST_GAP_SECONDS * rate))
    if not starts.size or not other_loud:
        return []
    energy, other_energy = (np.concatenate([[0.0], np.cumsum(each**2)]) for each in (side, other))

    def level(of: Floats, start: int, stop: int) -> float:
        start, stop = max(start, 0), min(stop, side.size)
        return float(np.sqrt(max(of[stop] - of[start], 0.0) / max(stop - start, 1)))

    step = level_step(side)
    edge, near, frame = (round(seconds * rate) for seconds in (EDGE_SECONDS, NEAR_SECONDS, FRAME_SECONDS))
    found = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        before = level(energy, start - edge, start), level(energy, start - near, start)
        if start < edge or stop > side.size - edge:
            continue
        if before[0] < EDGE_SHARE * before[1] or before[1] < max(LOUD_SHARE * loud, STEPS_OF_EDGE * step):
            continue
        if level(energy, stop, stop + near) < EDGE_SHARE * before[1]:
            # A sound that was switched off.
            continue
        there = level(other_energy, start, stop)
        most = SILENT_FRAMES_SHARE if there < other_loud else SILENT_LOUD_FRAMES_SHARE
        if there >= LOUD_SHARE * other_loud and _silent_share(side, other, there, SILENT_SHARE * loud, frame) < most:
            found.append(start)
    return found


def clicks(side: Floats, other: Floats, rate: int) -> list[int]:
    """Samples that stand out from those around them, where nothing stands out in the other recording."""
    from scipy.ndimage import maximum_filter1d

    bend, other_bend = (np.abs(each[1:-1] - (each[:-2] + each[2:]) / 2) for each in (side, other))
    usual = float(np.quantile(bend, USUAL_SHARE))
    at = np.flatnonzero(bend > max(CLICK_TO_USUAL * usual, 1e-6))
    width = round(NEAR_SECONDS / 4 * rate)
    found: list[int] = []
    calm = maximum_filter1d(other_bend, 2 * width + 1)
    for place in at.tolist():
        around = np.concatenate([bend[max(place - width, 0) : max(place - 3, 0)], bend[place + 4 : place + width]])
        steady = float(np.sqrt(np.mean(other_bend[max(place - 8 * width, 0) : place + 8 * width] ** 2)))
        if (
            around.size
            and bend[place] > CLICK_TO_NEAR * float(around.max())
            and calm[place] < CLICK_TO_NEAR / 2 * steady
            and (not found or place + 1 - found[-1] > width)
        ):
            found.append(place + 1)
    return found


def lone_samples(model: FixedModel) -> list[int]:
    """Single samples that are loud, and nothing like what the model expects there or leaves next to them."""
    left = np.abs(model.residual)
    near = np.maximum(np.maximum(left[:-4], left[1:-3]), np.maximum(left[3:-1], left[4:]))
    loud = max(LONE_SHARE * float(np.abs(model.y).max()), LONE_TO_USUAL * float(np.median(left)))
    found = np.flatnonzero((left[2:-2] > loud) & (left[2:-2] > LONE_TO_NEAR * near)) + 2
    # The noise at the start of a note has many samples like it.
    bend = np.abs(np.convolve(model.y, [-0.5, 1, -0.5], "same"))
    return [
        int(at)
        for at in found
        if bend[at]
        > LONE_BEND * max(bend[max(at - 9, 0) : at - 1].max(initial=0), bend[at + 2 : at + 10].max(initial=0))
    ]


def repeats(side: Floats, other: Floats, rate: int) -> list[int]:
    """Places where a buffer is played again in place of the next one, and the other recording goes on."""
    found: list[int] = []
    loud = float(np.sqrt(np.mean(side**2)))
    for size in BUFFERS:
        if size > rate // 4:
            break
        starts, stops = _silent_runs(side[size:] - side[:-size], 1e-9, round(REPEATED_SHARE * size))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            part = slice(start + size, stop + size)
            before = slice(start, stop)
            sounds = (
                float(side[part].std()) > LOUD_SHARE * loud
                and np.ptp(np.diff(side[part])) > LOUD_SHARE * loud / 10
                # What is clipped repeats itself at the limits.
                and np.unique(side[part]).size > (stop - start) / 4
            )
            change = float(np.std(other[part] - other[before]))
            if stop - start < 1.5 * size and sounds and change > 0.05 * float(other[part].std()) + 1e-6:
                found.append(start + size)
    return sorted(set(found))


def _silent_runs(x: Floats, floor: float, shortest: int) -> tuple[Places, Places]:
    silent = np.concatenate([[False], np.abs(x) <= floor, [False]])
    change = np.flatnonzero(np.diff(silent.astype(np.int8)))
    starts, stops = change[::2], change[1::2]
    long_enough = stops - starts >= max(shortest, 2)
    return starts[long_enough], stops[long_enough]


def _silent_share(side: Floats, other: Floats, there: float, floor: float, frame: int) -> float:
    """Share of the frames in which `side` is silent, of those where `other` is about as loud as there."""
    count = side.size // frame
    peaks = np.abs(side[: count * frame]).reshape(count, frame).max(axis=1)
    levels = np.sqrt(np.mean(other[: count * frame].reshape(count, frame) ** 2, axis=1))
    alike = (levels > there / 2) & (levels < 2 * there)
    return float(np.mean(peaks[alike] <= floor)) if alike.any() else 0.0
