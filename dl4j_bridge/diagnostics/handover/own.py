"""Is what reaches the network what was meant? Our own tensors, windows and files."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import Check, Kind, Outcome
from dl4j_bridge.diagnostics.handover.layout import NOT_ONE_HOT, Indices
from dl4j_bridge.diagnostics.handover.overlap import WINDOW_OVERLAP
from dl4j_bridge.diagnostics.handover.signed_bytes import SIGNED_BYTES
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NativeArray, OneHot
from dl4j_bridge.signal import audio_files, pairs
from dl4j_bridge.signal.codecs import CLASSES, MULAW, SILENCE, Codec
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.windows import Windows

TRAIN_VALID_LEAK = Kind("train-valid-leak")

Bytes = npt.NDArray[np.uint8]


def checks(x: Bytes, y: Bytes, window: int, batch: int, tbptt: int, seed: int, codec: Codec = MULAW) -> list[Check]:
    """Checks of our own hand-over, on batches made as training makes them.

    Parameters
    ----------
    x, y : ndarray of uint8, shape (n,)
        Classes of the pair, with the delay cut out.
    window, batch, tbptt, seed
        Settings of the training.
    codec
        Codec of the classes.

    Returns
    -------
    list of Check
        Tensors as Java sees them; windows and split; the way to a wav file and back.
    """
    # A batch need not be larger than an epoch: the windows of the next one overlap it by design.
    rows = min(batch, max((pairs.split(x.size)["train"][1]) // window, 1))
    return [
        Check("hand-over: tensors as Java sees them", lambda: _check_tensors(x, y, window, rows, tbptt, seed)),
        Check("hand-over: windows and split", lambda: _check_windows(x.size, window, batch, seed)),
        Check("hand-over: to a wav file and back", lambda: _check_round_trip(x, window, rows, seed, codec)),
    ]


def _training_windows(x: Bytes, y: Bytes, window: int, batch: int, seed: int) -> Windows:
    return Windows([part((x, y), "train")], window, batch, seed)


def _check_tensors(x: Bytes, y: Bytes, window: int, batch: int, tbptt: int, seed: int) -> Outcome:
    """Read every segment of a batch back through ND4J's own indexing, and compare it with the classes written."""
    source, target = _training_windows(x, y, window, batch, seed).batch(0)
    _, wrong_x = _through_java(source, tbptt)
    _, wrong_y = _through_java(target, tbptt)
    findings = []
    if wrong_x or wrong_y:
        fix = "our own hand-over is broken: build the jar again (make setup), then report it"
        findings = [NOT_ONE_HOT.found(fix, {"features_wrong": wrong_x, "labels_wrong": wrong_y})]
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
        segment = indices[:, start : start + tbptt]
        array = one_hot.write(segment).array()
        values = _read_copy(tensors.copyOf(array))
        # Steps after a short last segment are empty.
        expected = np.zeros((len(indices), tbptt), np.int64)
        expected[:, : segment.shape[1]] = 1
        ones = (np.count_nonzero(values, axis=1) == expected) & (np.count_nonzero(values == 1, axis=1) == expected)
        largest = _read_copy(tensors.copyOf(array.argMax(1)))[:, : segment.shape[1]].astype(np.int64)
        wrong += int(np.count_nonzero(~ones)) + int(np.count_nonzero(largest != segment))
        seen.append(largest)
    one_hot.array.close()
    return np.concatenate(seen, axis=1), wrong


def _read_copy(tensor: Any) -> npt.NDArray[Any]:
    copy = NativeArray(tensor)
    values = copy.read()
    copy.close()
    return values


def _check_windows(size: int, window: int, batch: int, seed: int) -> Outcome:
    """Take windows of positions, not samples, one byte of them at a time: the same seed gives the same windows."""
    numbers = np.arange(size)
    each = [np.asarray(numbers >> (8 * byte) & 255, np.uint8) for byte in range(8) if byte == 0 or size >> (8 * byte)]
    sources = [_training_windows(values, values, window, batch, seed) for values in each]
    epoch = sources[0].per_epoch
    rows: list[npt.NDArray[np.int64]] = []
    for number in range(-(-epoch // batch)):
        taken = [windows.batch(number)[0].astype(np.int64) for windows in sources]
        rows += list(np.sum([values << (8 * byte) for byte, values in enumerate(taken)], axis=0))
    positions = np.array(rows[:epoch])
    leaked = int(np.count_nonzero((positions < 0) | (positions >= pairs.split(size)["train"][1])))
    broken = int(np.count_nonzero(np.diff(positions, axis=1) != 1))
    repeated = positions.size - np.unique(positions).size
    findings = []
    if leaked:
        fix = "our own split is broken: windows of validation samples; report it"
        findings.append(TRAIN_VALID_LEAK.found(fix, {"samples": leaked}))
    if repeated or broken:
        fix = "our own windows are broken: an epoch repeats or tears stretches; report it"
        evidence = {"share": repeated / positions.size, "torn": broken}
        findings.append(WINDOW_OVERLAP.found(fix, evidence))
    figures = {"windows": int(epoch), "repeated": int(repeated), "leaked": leaked, "torn": broken}
    return Outcome(findings, figures)


def _check_round_trip(x: Bytes, window: int, batch: int, seed: int, codec: Codec) -> Outcome:
    """Classes to one-hot in Java, argMax, samples, wav file, classes again."""
    source, _ = _training_windows(x, x, window, batch, seed).batch(0)
    seen, _ = _through_java(source, window)
    classes = seen.astype(np.uint8).ravel()
    if (classes == SILENCE).all():
        # A file of silence is refused when it is read, and there is nothing to get wrong.
        return Outcome([], {"samples": int(classes.size), "wrong": 0})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "back.wav"
        audio_files.write(path, [codec.decode(classes)], 8000, codec.subtype)
        back = codec.encode(open_recording(path).read(8000))
    wrong = int(np.count_nonzero(back != source.ravel()))
    fix = f"our own {codec.name} codec does not come back from a {codec.subtype} wav; report it"
    findings = [SIGNED_BYTES.found(fix, {"wrong": wrong})] if wrong else []
    return Outcome(findings, {"samples": int(classes.size), "wrong": wrong})
