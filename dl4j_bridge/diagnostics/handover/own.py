"""Is what reaches the network what was meant? Our own tensors, windows and files."""

import tempfile
from pathlib import Path

import numpy as np

from dl4j_bridge.diagnostics.case import Classes
from dl4j_bridge.diagnostics.findings import Check, Kind, Outcome
from dl4j_bridge.diagnostics.handover.batches import Values, copy_out
from dl4j_bridge.diagnostics.handover.layout import NOT_ONE_HOT, Indices
from dl4j_bridge.diagnostics.handover.overlap import WINDOW_OVERLAP
from dl4j_bridge.diagnostics.handover.signed_bytes import SIGNED_BYTES
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import OneHot
from dl4j_bridge.signal import audio_files, pairs
from dl4j_bridge.signal.codecs import CLASSES, MULAW, SILENCE, Codec
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.windows import Windows

TRAIN_VALID_LEAK = Kind("train-valid-leak")


def checks(x: Classes, y: Classes, window: int, batch: int, tbptt: int, seed: int, codec: Codec = MULAW) -> list[Check]:
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
    source, target = _training_windows(x, y, window, rows, seed).batch(0)
    return [
        Check("hand-over: tensors as Java sees them", lambda: _check_tensors(source, target, tbptt)),
        Check("hand-over: windows and split", lambda: _check_windows(x.size, window, batch, seed)),
        Check("hand-over: to a wav file and back", lambda: _check_round_trip(source, codec)),
    ]


def _training_windows(x: Values, y: Values, window: int, batch: int, seed: int) -> Windows:
    return Windows([part((x, y), "train")], window, batch, seed)


def _check_tensors(source: Classes, target: Classes, tbptt: int) -> Outcome:
    """Read every segment of a batch back through ND4J's own indexing, and compare it with the classes written."""
    wrong_x, wrong_y = (_through_java(classes, tbptt)[1] for classes in (source, target))
    batch, window = source.shape
    wrong, shape, segments = wrong_x + wrong_y, [batch, CLASSES, tbptt], -(-window // tbptt)
    figures = {"samples": source.size + target.size, "wrong": wrong, "shape": shape, "segments": segments}
    fix = "our own hand-over is broken: build the jar again (make setup), then report it"
    return NOT_ONE_HOT.outcome(wrong > 0, fix, {"features_wrong": wrong_x, "labels_wrong": wrong_y}, figures)


def _through_java(indices: Classes, tbptt: int) -> tuple[Indices, int]:
    """The classes that ND4J's argMax finds, and how many samples are not exactly one 1 at the right place."""
    one_hot = OneHot(len(indices), CLASSES, tbptt)
    tensors = jvm.java_class("dl4jbridge.Tensor")
    seen, wrong = [], 0
    for start in range(0, indices.shape[1], tbptt):
        segment = indices[:, start : start + tbptt]
        array = one_hot.write(segment).array()
        values = copy_out(tensors.copyOf(array))
        # Steps after a short last segment are empty.
        expected = np.zeros((len(indices), tbptt), np.int64)
        expected[:, : segment.shape[1]] = 1
        ones = (np.count_nonzero(values, axis=1) == expected) & (np.count_nonzero(values == 1, axis=1) == expected)
        largest = copy_out(tensors.copyOf(array.argMax(1)))[:, : segment.shape[1]].astype(np.int64)
        wrong += int(np.count_nonzero(~ones)) + int(np.count_nonzero(largest != segment))
        seen.append(largest)
    one_hot.array.close()
    return np.concatenate(seen, axis=1), wrong


def _check_windows(size: int, window: int, batch: int, seed: int) -> Outcome:
    """Take windows of positions, not samples: the same seed gives the same windows."""
    numbers = np.arange(size)
    windows = _training_windows(numbers, numbers, window, batch, seed)
    epoch = windows.per_epoch
    positions = np.concatenate([windows.batch(number)[0] for number in range(-(-epoch // batch))])[:epoch]
    leaked = int(np.count_nonzero((positions < 0) | (positions >= pairs.split(size)["train"][1])))
    broken = int(np.count_nonzero(np.diff(positions, axis=1) != 1))
    repeated = positions.size - np.unique(positions).size
    findings = []
    if leaked:
        fix = "our own split is broken: windows of validation samples; report it"
        findings.append(TRAIN_VALID_LEAK.found(fix, {"samples": leaked}))
    if repeated or broken:
        fix = "our own windows are broken: an epoch repeats or tears stretches; report it"
        findings.append(WINDOW_OVERLAP.found(fix, {"share": repeated / positions.size, "torn": broken}))
    return Outcome(findings, {"windows": epoch, "repeated": repeated, "leaked": leaked, "torn": broken})


def _check_round_trip(source: Classes, codec: Codec) -> Outcome:
    """Classes to one-hot in Java, argMax, samples, wav file, classes again."""
    classes = _through_java(source, source.shape[1])[0].astype(np.uint8).ravel()
    if (classes == SILENCE).all():
        # A file of silence is refused when it is read, and there is nothing to get wrong.
        return Outcome([], {"samples": classes.size, "wrong": 0})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "back.wav"
        audio_files.write(path, [codec.decode(classes)], 8000, codec.subtype)
        back = codec.encode(open_recording(path).read(8000))
    wrong = int(np.count_nonzero(back != source.ravel()))
    fix = f"our own {codec.name} codec does not come back from a {codec.subtype} wav; report it"
    return SIGNED_BYTES.outcome(wrong > 0, fix, {"wrong": wrong}, {"samples": classes.size, "wrong": wrong})
