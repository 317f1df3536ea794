"""Class indices from tensors: which axis holds the classes, and in which order the numbers were written."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import Finding, Kind
from dl4j_bridge.diagnostics.handover.batches import Values
from dl4j_bridge.signal.codecs import CLASSES, MULAW

NOT_ONE_HOT = Kind("not-one-hot")
AXIS_ORDER = Kind("axis-order")
MEMORY_ORDER = Kind("memory-order")

# [batch, time]; NO_CLASS where a step does not count.
Indices = npt.NDArray[np.int64]
NO_CLASS = -1

# Below this number of samples nothing is concluded from how they follow each other.
FEWEST_SAMPLES = 200
# Fewer steps may look right in another layout by chance.
FEWEST_STEPS = 16
# What two samples leave unexplained of the next, of its variance, along the right axis: below 0.4 for recordings, up
# to 0.6 for very quiet ones; along the wrong axis, and of noise, 0.95 and more.
SMOOTHER = 0.7
UNPREDICTABLE = 0.5
# Rows that an axis must have before it can be told from another.
FEWEST_ROWS = 8
# Unexplained share of a tone's variance: up to 0.0001 in the linear code and 0.0011 in the mu-law code; of that of the
# smoothest recordings 0.0013 and 0.0016.
TONE_LINEAR, TONE_MULAW = 5e-4, 1.4e-3

IN_ORDER = "Nd4j.create(new int[]{batch, classes, time}, 'f')"
FIX_AXES = f"{IN_ORDER}, filled by putScalar(new int[]{{b, classOfSample, t}}, 1.0)"
FIX_ORDER = f"{IN_ORDER} together with putScalar, or give Nd4j.create(float[], shape, order) the order of the float[]"
FIX_ONES = "putScalar(new int[]{b, classOfSample, t}, 1.0) once for every t of an array of zeros"
FIX_MASK = "give the DataSet a mask [batch, time] with 0 where a sequence has ended"


@dataclass(frozen=True)
class Reading:
    """A tensor as classes, or what keeps it from being read as such.

    Attributes
    ----------
    indices
        Class of each sample, [batch, time], where the layout is known; `NO_CLASS` where a step does not count.
    classes
        Number of classes.
    finding
        What is wrong with the layout.
    """

    indices: Indices | None
    classes: int
    finding: Finding | None = None


@dataclass(frozen=True)
class _Layout:
    """One way to read the ones of a tensor: shape [batch, classes, time] and each one's place there."""

    kind: Kind
    evidence: dict[str, str] | dict[str, list[str]]
    fix: str
    shape: tuple[int, ...]
    ones: tuple[npt.NDArray[np.int64], ...]

    def indices(self) -> Indices:
        batch, _, time = self.shape
        indices = np.full((batch, time), NO_CLASS, np.int64)
        b, c, t = self.ones
        indices[b, t] = c
        return indices


def read(name: str, values: Values, mask: Values | None) -> Reading:
    """Find the classes of one tensor of a batch.

    Parameters
    ----------
    name
        ``features`` or ``labels``.
    values : ndarray, shape (batch, classes, time)
    mask : ndarray, shape (batch, time), or None
        0 where a step does not count.
    """
    batch, classes, time = values.shape
    filled = np.count_nonzero(values, axis=1)
    right = (filled == 1) & (np.count_nonzero(values == 1, axis=1) == 1)
    counts = np.ones((batch, time), bool)
    if mask is not None and mask.shape == counts.shape:
        counts = mask != 0
    indices = np.where(counts & right, values.argmax(axis=1), NO_CLASS)
    if (right | ~counts).all():
        return Reading(indices, classes)
    steps = None if mask is None else int(np.count_nonzero(mask))
    fitting = [layout for layout in _other_layouts(values) if _is_one_hot(layout, steps)]
    if fitting:
        # If several fit, as a silent recording's do, the one whose samples follow from each other.
        best = min(fitting, key=lambda layout: unexplained(layout.indices()))
        finding = best.kind.found(best.fix, {"array": name, "shape": list(values.shape), **best.evidence})
        return Reading(best.indices(), best.shape[1], finding)
    finding = _not_one_hot(name, filled, right, counts)
    return Reading(indices if (right | _padding(filled == 0) | ~counts).all() else None, classes, finding)


def _not_one_hot(name: str, filled: Indices, right: npt.NDArray[np.bool_], counts: npt.NDArray[np.bool_]) -> Finding:
    wrong = counts & ~right
    none, several = wrong & (filled == 0), wrong & (filled > 1)
    padding = int(np.count_nonzero(none & _padding(filled == 0)))
    evidence = {
        "array": name,
        "samples": int(np.count_nonzero(counts)),
        "none": int(np.count_nonzero(none)),
        "several": int(np.count_nonzero(several)),
        "other_values": int(np.count_nonzero(wrong & (filled == 1))),
        "padding_without_mask": padding,
        "first": [int(i) for i in np.argwhere(wrong)[0]],
    }
    return NOT_ONE_HOT.found(FIX_MASK if padding == np.count_nonzero(wrong) else FIX_ONES, evidence)


def _padding(empty: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The empty steps after the last one that is not empty, in rows that are not all empty."""
    trailing = np.logical_and.accumulate(empty[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(trailing & ~trailing[:, :1])


def _other_layouts(values: Values) -> Iterator[_Layout]:
    shape = values.shape
    most = max(values.size // n for n in shape)
    count = np.count_nonzero(values)
    if not FEWEST_STEPS <= count <= most or np.count_nonzero(values == 1) != count:
        return
    ones = np.nonzero(values)
    for axis in (2, 0):
        # The other two axes keep their order, unless the sound runs along the first of them.
        first, second = (n for n in range(3) if n != axis)
        found = _along(shape, ones, (first, axis, second))
        swapped = _along(shape, ones, (second, axis, first))
        runs = _is_one_hot(found, None) and unexplained(swapped.indices()) < SMOOTHER * unexplained(found.indices())
        yield swapped if runs else found
    offsets_c = np.ravel_multi_index(ones, shape, order="C")
    offsets_f = np.ravel_multi_index(ones, shape, order="F")
    as_f, as_c = np.unravel_index(offsets_c, shape, order="F"), np.unravel_index(offsets_f, shape, order="C")
    yield _Layout(MEMORY_ORDER, {"written": "f", "read": "c"}, FIX_ORDER, shape, as_f)
    yield _Layout(MEMORY_ORDER, {"written": "c", "read": "f"}, FIX_ORDER, shape, as_c)
    batch, classes, time = shape
    b, t, c = np.unravel_index(offsets_c, (batch, time, classes), order="C")
    evidence = {"written": "c, as [batch, time, classes]", "read": "c"}
    fix = "Nd4j.create(flat, new int[]{batch, time, classes}, 'c').permute(0, 2, 1)"
    yield _Layout(MEMORY_ORDER, evidence, fix, shape, (b, c, t))


def _along(shape: tuple[int, ...], ones: tuple[npt.NDArray[np.int64], ...], axes: tuple[int, int, int]) -> _Layout:
    """`axes` are those of the batch, of the classes and of the time."""
    names = {axes[0]: "batch", axes[1]: "classes", axes[2]: "time"}
    evidence, along = {"axes": [names[n] for n in range(3)]}, tuple(ones[n] for n in axes)
    return _Layout(AXIS_ORDER, evidence, FIX_AXES, tuple(shape[n] for n in axes), along)


def _is_one_hot(layout: _Layout, steps: int | None) -> bool:
    """Every step has one class, and no step has two; with a mask, as many as it lets count."""
    batch, _, time = layout.shape
    b, _, t = layout.ones
    return b.size == (batch * time if steps is None else steps) and np.bincount(b * time + t).max() == 1


def swapped_axes(name: str, batches: list[Indices]) -> Finding | None:
    """Batch and time exchanged: the sound runs from row to row, and not from step to step."""
    rows, steps = batches[0].shape
    if rows < FEWEST_ROWS or rows * steps < 4 * FEWEST_STEPS or any((i == NO_CLASS).any() for i in batches):
        return None
    along, across = unexplained(*batches), unexplained(*(i.T for i in batches))
    # Rows that are all the same, as those of a tone, follow from each other without being in sequence.
    same = steps >= FEWEST_ROWS and len(np.unique(batches[0], axis=0)) <= rows // 2
    if along < UNPREDICTABLE or across >= SMOOTHER * along or same:
        return None
    evidence = {
        "array": name,
        "axes": ["time", "classes", "batch"],
        "unexplained_along_time": round(along, 4),
        "unexplained_along_batch": round(across, 4),
    }
    return AXIS_ORDER.found(FIX_AXES, evidence)


def unexplained(*batches: Values) -> float:
    """The share of the variance that is left when each sample is predicted from the two before it; rows apart.

    1 where there is nothing to predict from, or nothing to predict.
    """
    long = [indices for indices in batches if indices.shape[1] >= 3]
    windows = [np.lib.stride_tricks.sliding_window_view(indices, 3, axis=1).reshape(-1, 3) for indices in long]
    triples = np.concatenate([np.zeros((0, 3)), *windows])
    triples = triples[(triples != NO_CLASS).all(axis=1)].astype(np.float64)
    if len(triples) < FEWEST_STEPS:
        return 1.0
    triples -= triples.mean(axis=0)
    past, now = triples[:, :2], triples[:, 2]
    if not now.any():
        return 1.0
    weights = np.linalg.lstsq(past.T @ past, past.T @ now, rcond=None)[0]
    return float(np.mean((now - past @ weights) ** 2) / np.mean(now**2))


def is_tone(batches: list[Indices]) -> bool:
    """True where each sample follows from two before it, in the linear or in the mu-law code."""
    if unexplained(*batches) < TONE_LINEAR:
        return True
    if max(int(i.max()) for i in batches) >= CLASSES:
        return False
    # Above 0, where no sample can be taken for `NO_CLASS`.
    linear = [np.where(i == NO_CLASS, NO_CLASS, 2 + MULAW.values[i]) for i in batches]
    return unexplained(*linear) < TONE_MULAW
