"""Layer 2: is what reaches the network what was meant? Somebody else's batches, and our own hand-over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import layout
from dl4j_bridge.diagnostics.batches import Batch, open_iterator, read_batches
from dl4j_bridge.diagnostics.findings import FAULT, Check, Finding, Outcome
from dl4j_bridge.diagnostics.layout import NO_CLASS, Indices
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NativeArray, OneHot
from dl4j_bridge.signal import alignment, audio, pairs
from dl4j_bridge.signal.codec import CLASSES, MULAW, SILENCE, Codec

__all__ = ["checks", "inspect", "open_iterator"]

Bytes = npt.NDArray[np.uint8]

# Below this nothing is concluded from how samples follow each other.
FEWEST_SAMPLES = 200

# Signed bytes: with 128 added, total variation falls, and the error of predicting a sample from two falls below
# LESS_ERROR of itself. In healthy recordings, clipped to square waves or not, at most one of them falls, and where it
# is the error, as in the quietest ones (to 0.6), variation grows a hundredfold.
LESS_ERROR = 0.7
# A quiet recording's error may stay the same; its variation falls to a fifth, and its commonest class is silence.
QUIET_LESS_VARIATION = 0.25

# Labels that are the features themselves, shifted: so many agree, and less than half as many differ as unshifted.
COPY = 0.95
COPY_MARGIN = 0.02
FARTHEST_COPY = 64
# Labels of another recording: lags, in samples, at which a causal least-squares filter may start.
FARTHEST_LEAD, FARTHEST_DELAY, TAPS = 16, 48, 32
SHORTEST_PERIOD = 8
# By how much the error grows at the latest start, or the shift means nothing.
CLEAR = 2.0
# The future of the features at least halves the error (healthy effects: at most by a third, 1.5).
LEAD_GAIN = 2.0
# A delay costs the network nothing but memory; filters lag by up to 8 samples of their own.
LONGEST_LAG = 12
# Error growth that counts as none; and what a filter must explain before its start means anything.
ERROR_GROWTH, ERROR_FLOOR, EXPLAINED = 1.1, 1e-4, 0.5

# Samples in a row that make a stretch recognisable; as long a stretch does not come twice in a recording with noise.
GRAM = 32
OVERLAP = 0.25
# Square waves and near silence repeat within a window; what is left of them (a fifth) says nothing.
RECOGNISABLE = 1 / 3
# A tone repeats itself anyway. Unexplained of one: up to 0.0001 in the linear code and 0.0011 in the mu-law code; of
# the smoothest recordings 0.0013 and 0.0016.
TONE_LINEAR, TONE_MULAW = 5e-4, 1.4e-3

NEARLY_ALL = 0.99
FEWEST_ROWS_OF_SILENCE, FEWEST_SAMPLES_OF_SILENCE = 4, 1000


def inspect(
    features: Any,
    labels: Any = None,
    predicts: str | None = None,
    *,
    features_mask: Any = None,
    labels_mask: Any = None,
) -> list[Finding]:
    """Look for what is wrong with batches that somebody's code makes.

    Parameters
    ----------
    features, labels
        Two NumPy arrays or two live ND4J arrays, [batch, classes, time]; or, as `features` alone, a DL4J ``DataSet`` or
        a ``DataSetIterator``, of which the first batches are taken.
    predicts
        What the labels should be: ``target``, another recording at the same time; ``next``, the next sample of the
        features; None, either.
    features_mask, labels_mask
        NumPy arrays [batch, time], 0 where a step does not count. A ``DataSet`` brings its own.

    Returns
    -------
    list of Finding
        Empty for healthy batches.

    Raises
    ------
    InputError
        Not arrays of numbers with three axes, or features and labels of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from dl4j_bridge.diagnostics import inspect
    >>> features = np.zeros((4, 256, 50), np.float32)
    >>> [finding.code for finding in inspect(features, features)]
    ['not-one-hot', 'not-one-hot']
    """
    if predicts not in (None, "target", "next"):
        raise InputError("predicts", predicts, "wanted target, next or None")
    findings: list[Finding] = []
    read: dict[str, list[layout.Reading]] = {"features": [], "labels": []}
    for batch in read_batches(features, labels, features_mask, labels_mask):
        _check_masks(batch)
        read["features"].append(layout.read("features", batch.features, batch.features_mask))
        read["labels"].append(layout.read("labels", batch.labels, batch.labels_mask))
    if not read["features"]:
        raise InputError("iterator", "no batches", "wanted at least one: hasNext() is false from the start")
    sides: dict[str, list[Indices]] = {}
    for name, readings in read.items():
        found, sides[name] = _inspect_side(name, readings)
        findings += found
    return findings + _inspect_pairs(sides["features"], sides["labels"], predicts, silent=bool(findings))


def _check_masks(batch: Batch) -> None:
    for name, mask in (("features", batch.features_mask), ("labels", batch.labels_mask)):
        shape = getattr(batch, name).shape
        # The classes may stand on any axis; that is for a finding to say.
        if mask is not None and mask.shape[0] * mask.shape[1] not in {
            shape[a] * shape[b] for a, b in ((0, 1), (0, 2), (1, 2))
        }:
            raise InputError(f"{name} mask", f"shape {mask.shape} for {shape}", "wanted [batch, time]")


def _inspect_side(name: str, readings: list[layout.Reading]) -> tuple[list[Finding], list[Indices]]:
    """What is wrong with the features or the labels alone; and their classes, mended as far as known."""
    findings: dict[str, Finding] = {}
    for reading in readings:
        if reading.finding:
            findings.setdefault(reading.finding.code, reading.finding)
    known = [reading.indices for reading in readings if reading.indices is not None]
    if len(known) < len(readings):
        return list(findings.values()), []
    if "axis-order" not in findings:
        swapped = layout.swapped_axes(name, known)
        if swapped:
            findings[swapped.code] = swapped
            known = [indices.T for indices in known]
    silent = _silence(name, known)
    signed = None if silent or readings[0].classes != CLASSES else _signed_bytes(name, known)
    for finding in filter(None, (silent, signed)):
        findings[finding.code] = finding
    if signed:
        known = [np.where(indices == NO_CLASS, NO_CLASS, indices ^ 128) for indices in known]
    return list(findings.values()), known


def _inspect_pairs(x: list[Indices], y: list[Indices], predicts: str | None, silent: bool) -> list[Finding]:
    """What is wrong between features and labels, and between the windows."""
    findings = []
    if x and y:
        shapes = [(a.shape, b.shape) for a, b in zip(x, y, strict=True) if a.shape != b.shape]
        if shapes and not silent:
            (found, wanted) = shapes[0][1], shapes[0][0]
            raise InputError("labels", f"{found} windows x steps", f"wanted those of the features, {wanted}")
        shifted = None if shapes else _shift(x, y, predicts)
        findings += [shifted] if shifted else []
    overlap = _window_overlap(x) if x else None
    return [*findings, overlap] if overlap else findings


def _silence(name: str, batches: list[Indices]) -> Finding | None:
    classes = np.concatenate([indices[indices != NO_CLASS] for indices in batches])
    rows = sum(len(indices) for indices in batches)
    if rows < FEWEST_ROWS_OF_SILENCE or classes.size < FEWEST_SAMPLES_OF_SILENCE:
        return None
    counts = np.bincount(classes)
    share = float(counts.max() / classes.size)
    if share < NEARLY_ALL:
        return None
    evidence = {"array": name, "class": int(counts.argmax()), "share": round(share, 4)}
    return Finding("silence-dominated", FAULT, "windows of the recording in which there is sound", evidence)


def _signed_bytes(name: str, batches: list[Indices]) -> Finding | None:
    """Java's bytes run from -128 to 127: without the right offset, the middle of the classes comes to both ends."""
    before, after = _variation(batches, 0), _variation(batches, 128)
    if sum(indices.size for indices in batches) < FEWEST_SAMPLES or before == 0:
        return None
    error = layout.unexplained(*batches)
    shifted = layout.unexplained(*(np.where(i == NO_CLASS, NO_CLASS, i ^ 128) for i in batches))
    smoother = after < before and shifted < LESS_ERROR * error
    quiet = after < QUIET_LESS_VARIATION * before and _silence_at_the_ends(batches)
    if not smoother and not quiet:
        return None
    evidence = {
        "array": name,
        "mean_step": round(before, 3),
        "mean_step_with_128_added": round(after, 3),
        "unexplained": round(error, 4),
        "unexplained_with_128_added": round(shifted, 4),
    }
    fix = (
        "8-bit wav bytes are unsigned, Java's are signed: class = b & 0xff for the bytes of an 8-bit wav; "
        "class = b + 128 for signed samples"
    )
    return Finding("signed-bytes", FAULT, fix, evidence)


def _silence_at_the_ends(batches: list[Indices]) -> bool:
    """True where class 0 is a peak between 255 and 1, as silence is; a clipped recording has a cliff there."""
    counts = np.bincount(np.concatenate([i[i != NO_CLASS] for i in batches]), minlength=CLASSES)
    last, silence, first = (int(counts[k]) for k in (255, 0, 1))
    return 2 * silence >= max(last, first) and min(last, first) >= 0.2 * max(last, first) > 0


def _variation(batches: list[Indices], added: int) -> float:
    """Mean size of a step from sample to sample, with so much added modulo 256."""
    steps = []
    for indices in batches:
        both = (indices[:, 1:] != NO_CLASS) & (indices[:, :-1] != NO_CLASS)
        steps.append(np.abs(np.diff((indices + added) % CLASSES, axis=1))[both])
    together = np.concatenate(steps)
    return float(together.mean()) if together.size else 0.0


def _shift(x: list[Indices], y: list[Indices], predicts: str | None) -> Finding | None:
    """By how much the labels run ahead of the features: 0 is right for a target, 1 for the next sample."""
    right = {"target": (0,), "next": (1,), None: (0, 1)}[predicts]
    farthest = min(FARTHEST_COPY, x[0].shape[1] // 2)
    copies = _agreement(x, y, range(-farthest, farthest + 1))
    shift = max(copies, key=lambda s: (copies[s], s in right, -abs(s)), default=0)
    if copies and copies[shift] >= COPY:
        unshifted = max(copies.get(s, 0.0) for s in right)
        if 1 - unshifted <= 2 * (1 - copies[shift]) + COPY_MARGIN:
            return None
        return _shifted(
            shift, right, {"agreement": round(copies[shift], 4), "agreement_where_right": round(unshifted, 4)}
        )
    return _filter_shift(x, y, right)


def _agreement(x: list[Indices], y: list[Indices], shifts: range) -> dict[int, float]:
    """The share of labels that are the features so many samples later."""
    shares = {}
    for shift in shifts:
        equal = count = 0
        for a, b in zip(x, y, strict=True):
            later, now = (a[:, shift:], b[:, : b.shape[1] - shift]) if shift >= 0 else (a[:, :shift], b[:, -shift:])
            both = (later != NO_CLASS) & (now != NO_CLASS)
            equal += int(np.count_nonzero((later == now) & both))
            count += int(np.count_nonzero(both))
        if count >= FEWEST_SAMPLES:
            shares[shift] = equal / count
    return shares


def _filter_shift(x: list[Indices], y: list[Indices], right: tuple[int, ...]) -> Finding | None:
    """For labels that are not the features themselves: where a filter from one to the other has to start."""
    ahead = max(right)
    time = x[0].shape[1] - ahead
    if time < FARTHEST_LEAD + FARTHEST_DELAY + 3 * TAPS or _is_tone(x):
        return None
    if max(_agreement(x, x, range(SHORTEST_PERIOD, time // 2 + 1)).values(), default=0.0) >= COPY:
        # A sound that repeats itself fits at many shifts.
        return None
    # Rows of features move by what is right, so that a lead of 0 is right from here on.
    full = [(a[:, ahead:], b[:, :time]) for a, b in zip(x, y, strict=True) if a.shape == x[0].shape]
    source, target = (np.concatenate(side).astype(np.float64) for side in zip(*full, strict=True))
    whole = ((source != NO_CLASS) & (target != NO_CLASS)).all(axis=1)
    if not whole.any():
        return None
    source, target = source[whole], target[whole]
    source, target = source - source.mean(), target - target.mean()
    energy = float(np.sum(target**2))
    if not energy or not source.any():
        return None
    errors = alignment.filter_errors(source, target, -FARTHEST_LEAD, FARTHEST_DELAY, FARTHEST_DELAY + TAPS) / energy
    causal, best = errors[FARTHEST_LEAD], errors[0]
    if best > EXPLAINED:
        return None
    if errors[-1] + ERROR_FLOOR < CLEAR * (best + ERROR_FLOOR):
        # About as well explained from any start on.
        return None
    start = int(np.flatnonzero(errors <= ERROR_GROWTH * best + ERROR_FLOOR)[-1]) - FARTHEST_LEAD
    figures = {"unexplained": round(float(causal), 4), "unexplained_where_shifted": round(float(best), 4)}
    if start < 0 and causal + ERROR_FLOOR >= LEAD_GAIN * (best + ERROR_FLOOR):
        return _shifted(ahead - start, right, figures)
    if start >= LONGEST_LAG:
        return _shifted(ahead - start, right, figures)
    return None


def _shifted(shift: int, right: tuple[int, ...], evidence: dict[str, Any]) -> Finding:
    leads = shift > max(right)
    wanted = " or ".join({0: "labels[t] from features[t]", 1: "labels[t] = features[t + 1]"}[s] for s in right)
    if shift == 0:
        fix = f"labels are the features themselves: the network learns to copy. Wanted {wanted}"
    elif leads:
        fix = f"read the labels {shift - max(right)} samples earlier: {wanted}"
    else:
        fix = f"read the labels {min(right) - shift} samples later: {wanted}"
    return Finding("target-leads" if leads else "misaligned", FAULT, fix, {"shift": shift, **evidence})


def _window_overlap(batches: list[Indices]) -> Finding | None:
    """The share of the samples that an earlier window had already."""
    if batches[0].shape[1] < GRAM or _is_tone(batches):
        return None
    rows = [row for indices in batches for row in indices]
    grams = np.concatenate([_grams_seen_once(row) for row in rows])
    possible = sum(max(row.size - GRAM + 1, 0) for row in rows)
    if grams.size < max(FEWEST_SAMPLES, RECOGNISABLE * possible):
        return None
    repeated = 1 - len(np.unique(grams)) / grams.size
    if repeated < OVERLAP:
        return None
    evidence = {"share": round(float(repeated), 4), "windows": len(rows), "compared": int(grams.size)}
    fix = "every window from a start of its own, at least one window length from every other: start += exampleLength"
    return Finding("window-overlap", FAULT, fix, evidence)


def _grams_seen_once(row: Indices) -> npt.NDArray[np.uint64]:
    """Hashes of all stretches of `GRAM` samples, without those that come twice in this window, as in a tone."""
    samples = row[row != NO_CLASS]
    if samples.size < GRAM:
        return np.zeros(0, np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, GRAM, dtype=np.uint64) | np.uint64(1)
    hashes = np.zeros(samples.size - GRAM + 1, np.uint64)
    for k, factor in enumerate(factors):
        hashes += samples[k : k + hashes.size].astype(np.uint64) * factor
    found, counts = np.unique(hashes, return_counts=True)
    return np.asarray(found[counts == 1])


def _is_tone(batches: list[Indices]) -> bool:
    """True where each sample follows from two before it, in the linear or in the mu-law code."""
    if layout.unexplained(*batches) < TONE_LINEAR:
        return True
    if max(int(i.max()) for i in batches) >= CLASSES:
        return False
    # Above 0, where no sample can be taken for `NO_CLASS`.
    linear = [np.where(i == NO_CLASS, NO_CLASS, 2 + MULAW.values[i]) for i in batches]
    return layout.unexplained(*linear) < TONE_MULAW


def checks(x: Bytes, y: Bytes, window: int, batch: int, tbptt: int, seed: int, codec: Codec = MULAW) -> list[Check]:
    """The checks of our own hand-over, made as training makes its batches; the JVM must be running.

    Parameters
    ----------
    x, y : ndarray of uint8, shape (n,)
        Classes of the pair, the delay cut out.
    window, batch, tbptt, seed
        As in training.
    codec
        That the classes are of.

    Returns
    -------
    list of Check
        Tensors as Java sees them; windows against the split; the way to a wav file and back.
    """
    # A batch need not be larger than an epoch: the windows of the next one overlap it by design.
    rows = min(batch, max((pairs.split(x.size)["train"][1]) // window, 1))
    return [
        Check("hand-over: tensors as Java sees them", lambda: _check_tensors(x, y, window, rows, tbptt, seed)),
        Check("hand-over: windows and split", lambda: _check_windows(x.size, window, batch, seed)),
        Check("hand-over: to a wav file and back", lambda: _check_round_trip(x, window, rows, seed, codec)),
    ]


def _training_windows(signals: list[tuple[Bytes, Bytes]], window: int, batch: int, seed: int) -> pairs.Windows:
    part = slice(*pairs.split(signals[0][0].size)["train"])
    return pairs.Windows([(x[part], y[part]) for x, y in signals], window, batch, seed)


def _check_tensors(x: Bytes, y: Bytes, window: int, batch: int, tbptt: int, seed: int) -> Outcome:
    """Read every segment of a batch back through ND4J's own indexing, and compare it with the classes written."""
    source, target = _training_windows([(x, y)], window, batch, seed).draw(0)
    _, wrong_x = _through_java(source, tbptt)
    _, wrong_y = _through_java(target, tbptt)
    findings = []
    if wrong_x or wrong_y:
        fix = "our own hand-over is broken: build the jar again (make setup), then report it"
        findings = [Finding("not-one-hot", FAULT, fix, {"features_wrong": wrong_x, "labels_wrong": wrong_y})]
    figures = {
        "samples": int(source.size + target.size),
        "wrong": wrong_x + wrong_y,
        "shape": [batch, CLASSES, tbptt],
        "segments": -(-window // tbptt),
    }
    return Outcome(findings, figures)


def _through_java(indices: Bytes, tbptt: int) -> tuple[Indices, int]:
    """The classes that ND4J's argMax finds, and how many samples are not exactly one 1 at the right place."""
    one_hot = OneHot(len(indices), CLASSES, tbptt)
    tensors = jvm.java_class("dl4jbridge.Tensor")
    seen, wrong = [], 0
    for start in range(0, indices.shape[1], tbptt):
        part = indices[:, start : start + tbptt]
        array = one_hot.write(part).array()
        values = _read_copy(tensors.copyOf(array))
        # Steps behind a short last segment are empty.
        expected = np.zeros((len(indices), tbptt), np.int64)
        expected[:, : part.shape[1]] = 1
        ones = (np.count_nonzero(values, axis=1) == expected) & (np.count_nonzero(values == 1, axis=1) == expected)
        largest = _read_copy(tensors.copyOf(array.argMax(1)))[:, : part.shape[1]].astype(np.int64)
        wrong += int(np.count_nonzero(~ones)) + int(np.count_nonzero(largest != part))
        seen.append(largest)
    one_hot.array.close()
    return np.concatenate(seen, axis=1), wrong


def _read_copy(tensor: Any) -> npt.NDArray[Any]:
    copy = NativeArray(tensor)
    values = copy.read()
    copy.close()
    return values


def _check_windows(size: int, window: int, batch: int, seed: int) -> Outcome:
    """Draw positions instead of samples, a byte of them at a time, since the same seed gives the same windows."""
    positions = np.arange(size)
    each = [np.asarray(positions >> (8 * byte) & 255, np.uint8) for byte in range(8) if byte == 0 or size >> (8 * byte)]
    draws = [_training_windows([(part, part)], window, batch, seed) for part in each]
    epoch = draws[0].per_epoch
    rows: list[npt.NDArray[np.int64]] = []
    for number in range(-(-epoch // batch)):
        drawn = [windows.draw(number)[0].astype(np.int64) for windows in draws]
        rows += list(np.sum([part << (8 * byte) for byte, part in enumerate(drawn)], axis=0))
    taken = np.array(rows[:epoch])
    leaked = int(np.count_nonzero((taken < 0) | (taken >= pairs.split(size)["train"][1])))
    broken = int(np.count_nonzero(np.diff(taken, axis=1) != 1))
    repeated = taken.size - np.unique(taken).size
    findings = []
    if leaked:
        fix = "our own split is broken: windows of validation samples; report it"
        findings.append(Finding("train-valid-leak", FAULT, fix, {"samples": leaked}))
    if repeated or broken:
        fix = "our own windows are broken: an epoch repeats or tears stretches; report it"
        evidence = {"share": repeated / taken.size, "torn": broken}
        findings.append(Finding("window-overlap", FAULT, fix, evidence))
    figures = {"windows": int(epoch), "repeated": int(repeated), "leaked": leaked, "torn": broken}
    return Outcome(findings, figures)


def _check_round_trip(x: Bytes, window: int, batch: int, seed: int, codec: Codec) -> Outcome:
    """Classes to one-hot in Java, argMax, samples, wav file, classes again."""
    source, _ = _training_windows([(x, x)], window, batch, seed).draw(0)
    seen, _ = _through_java(source, window)
    classes = seen.astype(np.uint8).ravel()
    if (classes == SILENCE).all():
        # No file of silence is read, and there is nothing to get wrong.
        return Outcome([], {"samples": int(classes.size), "wrong": 0})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "back.wav"
        audio.write(path, [codec.decode(classes)], 8000, codec.subtype)
        back = codec.encode(audio.open_recording(path).read(8000))
    wrong = int(np.count_nonzero(back != source.ravel()))
    fix = f"our own {codec.name} codec does not come back from a {codec.subtype} wav; report it"
    findings = [Finding("signed-bytes", FAULT, fix, {"wrong": wrong})] if wrong else []
    return Outcome(findings, {"samples": int(classes.size), "wrong": wrong})
