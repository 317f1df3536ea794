"""Faults planted in healthy batches, as NumPy arrays and as live ND4J arrays; and the healthy batches themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics import handover, inspect
from dl4j_bridge.diagnostics.handover import own
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import installation, jars, jvm
from dl4j_bridge.java.tensors import NativeArray
from dl4j_bridge.signal.codecs import LINEAR, MULAW
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.windows import Windows
from tests.conftest import EXAMPLES, run

FOLDER = os.environ.get("DL4J_BRIDGE_AUDIO")
RECORDINGS = sorted(EXAMPLES.glob("*.wav")) + (sorted(Path(FOLDER).glob("*.wav")) if FOLDER else [])
DRY = [path for path in RECORDINGS if "amplifier" not in path.name]
TIME, BATCH = 250, 10


def samples(path: Path) -> np.ndarray:
    recording = open_recording(path)
    return recording.read(recording.rate, 0, 15 * recording.rate)


def windows(x: np.ndarray, y: np.ndarray, batch: int = BATCH, time: int = TIME) -> tuple[np.ndarray, np.ndarray]:
    return Windows([(x, y)], time, batch, 1).batch(0)


def one_hot(indices: np.ndarray, classes: int = 256) -> np.ndarray:
    values = np.zeros((indices.shape[0], classes, indices.shape[1]), np.float32)
    batch, time = np.indices(indices.shape)
    values[batch, indices, time] = 1
    return values


def live(values: np.ndarray, order: str = "c"):
    """The same array in ND4J."""
    array = NativeArray.zeros(values.shape, order=order)
    array.write(np.ascontiguousarray(values.ravel(order="F" if order == "f" else "C"), np.float32))
    return array.java.array()


def codes(*args, **options) -> list[str]:
    found = inspect(*args, **options)
    assert all(finding.severity == "fault" and finding.fix for finding in found)
    json.dumps([finding.as_dict() for finding in found])
    return [finding.code for finding in found]


@pytest.fixture(params=[pytest.param(path, id=path.stem) for path in DRY])
def dry(request) -> np.ndarray:
    """The classes of a recording that is nobody's target."""
    return LINEAR.encode(samples(request.param))


@pytest.fixture(params=["numpy", "nd4j"])
def hand(request, java):
    """How an array gets to `inspect`."""
    return live if request.param == "nd4j" else lambda values: values


def test_importing_starts_no_jvm():
    program = "import sys, dl4j_bridge.diagnostics as d; d.inspect; print('jnius' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Healthy


def test_a_healthy_pair_is_quiet(dry, hand):
    wet = LINEAR.encode(synthesis.amplifier(LINEAR.decode(dry)))
    x, y = windows(dry, wet)
    assert codes(hand(one_hot(x)), hand(one_hot(y)), "target") == []
    assert codes(hand(one_hot(x)), hand(one_hot(y))) == []


@pytest.mark.parametrize("codec", [LINEAR, MULAW], ids=lambda codec: codec.name)
@pytest.mark.parametrize(("batch", "time"), [(1, 300), (1, 1), (32, 1), (3, 7), (7, 50), (8, 600)])
def test_sizes_codecs_and_next_samples(dry, codec, batch, time):
    indices = codec.encode(LINEAR.decode(dry))
    x, y = windows(indices[:-1], indices[1:], batch, time)
    for predicts in ("next", None):
        assert codes(one_hot(x), one_hot(y), predicts) == []


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.random.default_rng(0).normal(0, 0.3, 60_000), id="loud noise"),
        pytest.param(np.random.default_rng(0).normal(0, 0.01, 60_000), id="quiet noise"),
        pytest.param(np.random.default_rng(0).normal(0, 3, 60_000), id="clipped noise"),
        pytest.param(0.9 * np.sin(2 * np.pi * 440 / 11025 * np.arange(60_000)), id="sine"),
        pytest.param(0.9 * np.sin(2 * np.pi * 0.45 * np.arange(60_000)), id="high sine"),
        pytest.param(np.sign(np.sin(2 * np.pi * np.arange(60_000) / 100 + 0.01)), id="square wave"),
        pytest.param(0.05 * synthesis.plucked_strings(6), id="quiet recording"),
        pytest.param(30 * synthesis.plucked_strings(6), id="clipped recording"),
    ],
)
@pytest.mark.parametrize("codec", [LINEAR, MULAW], ids=lambda codec: codec.name)
def test_odd_sounds_are_quiet(sound, codec):
    indices = codec.encode(sound)
    x, y = windows(indices[:-1], indices[1:])
    assert codes(one_hot(x), one_hot(y)) == []
    assert codes(one_hot(x), one_hot(x), "target") == []


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int8, np.uint8, np.int64, bool])
def test_types_orders_and_few_classes(dtype):
    x = np.random.default_rng(3).integers(0, 5, (4, 60))
    values = one_hot(x, 5).astype(dtype)
    assert codes(values, values) == []
    assert codes(np.asfortranarray(values), np.ascontiguousarray(values.transpose(2, 1, 0)).transpose(2, 1, 0)) == []


def test_a_view_with_strides_of_its_own(java):
    x = np.random.default_rng(3).integers(0, 256, (4, 60))
    view = live(one_hot(x).transpose(0, 2, 1)).permute(0, 2, 1)
    assert codes(view, view) == []
    assert codes(live(one_hot(x), "f"), view) == []


def test_masked_padding_is_legal_and_unmasked_is_not(dry, java):
    x, y = windows(dry[:-1], dry[1:])
    features, labels = one_hot(x), one_hot(y)
    mask = np.ones(x.shape, np.float32)
    for row in (2, 5):
        features[row, :, 200:] = labels[row, :, 200:] = mask[row, 200:] = 0
    assert codes(features, labels, features_mask=mask, labels_mask=mask) == []
    dataset = jvm.java_class("org.nd4j.linalg.dataset.DataSet")
    masks = [NativeArray.zeros(mask.shape, order="c") for _ in range(2)]
    for array in masks:
        array.write(mask.ravel())
    assert codes(dataset(live(features), live(labels), *(array.java.array() for array in masks))) == []
    found = inspect(features, labels)
    assert [finding.code for finding in found] == ["not-one-hot"] * 2
    assert found[0].evidence["padding_without_mask"] == found[0].evidence["none"] == 100
    assert found[0].evidence["first"] == [2, 200]
    assert "mask" in found[0].fix


# Planted


def test_not_one_hot(dry, hand):
    x, y = windows(dry, dry)
    features = one_hot(x)
    features[3, :, 7] = 0
    features[4, :2, 9] = 1
    features[5, :, 11] *= 0.5
    (found,) = inspect(hand(features), hand(one_hot(y)), "target")
    assert found.code == "not-one-hot"
    assert found.evidence == {
        "array": "features", "samples": x.size, "none": 1, "several": 1, "other_values": 1,
        "padding_without_mask": 0, "first": [3, 7],
    }  # fmt: skip


def test_values_that_are_no_numbers_of_a_one_hot(dry):
    x, _ = windows(dry, dry)
    wave = (x[:, None] / 255).astype(np.float32)
    assert set(codes(wave, one_hot(x))) == {"not-one-hot"}
    assert set(codes(np.full((4, 256, 20), np.nan), np.full((4, 256, 20), 1.0))) == {"not-one-hot"}


def test_classes_on_the_last_or_on_the_first_axis(dry, hand):
    x, y = windows(dry[:-1], dry[1:])
    for order, axes in (((0, 2, 1), ["batch", "time", "classes"]), ((1, 0, 2), ["classes", "batch", "time"])):
        found = inspect(hand(one_hot(x).transpose(order)), hand(one_hot(y).transpose(order)))
        assert [finding.code for finding in found] == ["axis-order"] * 2
        assert found[0].evidence["axes"] == axes
        assert "new int[]{batch, classes, time}, 'f'" in found[0].fix


def test_batch_and_time_swapped(dry, hand):
    x, y = windows(dry[:-1], dry[1:])
    found = inspect(hand(one_hot(x.T)), hand(one_hot(y.T)))
    assert [finding.code for finding in found] == ["axis-order"] * 2
    assert found[0].evidence["axes"] == ["time", "classes", "batch"]


@pytest.mark.parametrize(("written", "read"), [("C", "F"), ("F", "C")])
def test_memory_written_in_the_other_order(dry, hand, written, read):
    x, y = windows(dry[:-1], dry[1:])
    wrong = [np.ascontiguousarray(one_hot(i).ravel(written).reshape(one_hot(i).shape, order=read)) for i in (x, y)]
    found = inspect(*map(hand, wrong))
    assert [finding.code for finding in found] == ["memory-order"] * 2
    assert found[0].evidence["written"] == written.lower()


def test_a_flat_array_filled_time_by_time(dry, hand):
    x, _ = windows(dry, dry)
    flat = one_hot(x).transpose(0, 2, 1).ravel().reshape(BATCH, 256, TIME)
    (found,) = inspect(hand(flat), hand(one_hot(x)), "target")
    assert found.code == "memory-order"
    assert "[batch, time, classes]" in found.evidence["written"]


def test_signed_bytes_on_each_side(dry, hand):
    x, y = windows(dry[:-1], dry[1:])
    for bad, good, side in ((x, y, "features"), (y, x, "labels")):
        arrays = hand(one_hot(bad ^ 128)), hand(one_hot(good))
        found = inspect(*(arrays if side == "features" else arrays[::-1]))
        assert [(finding.code, finding.evidence["array"]) for finding in found] == [("signed-bytes", side)]
        assert "& 0xff" in found[0].fix


def test_signed_bytes_in_windows_of_several_pitches(hand):
    x = np.stack([LINEAR.encode(0.8 * np.sin(2 * np.pi * f * np.arange(251))) for f in (0.02, 0.1, 0.2, 0.3, 0.4)])
    assert inspect(hand(one_hot(x[:, :-1])), hand(one_hot(x[:, 1:])), "next") == []
    found = inspect(hand(one_hot(x[:, :-1] ^ 128)), hand(one_hot(x[:, 1:])), "next")
    assert "signed-bytes" in [finding.code for finding in found]


@pytest.mark.parametrize(
    ("shift", "predicts", "code"),
    [
        (0, "target", None), (0, None, None), (1, None, None), (1, "next", None),
        (0, "next", "misaligned"), (1, "target", "target-leads"), (2, None, "target-leads"),
        (-1, None, "misaligned"), (-9, "target", "misaligned"), (20, "next", "target-leads"),
    ],
)  # fmt: skip
def test_shifted_copies(dry, shift, predicts, code):
    x, y = windows(dry[30:-30], np.roll(dry, -shift)[30:-30])
    found = inspect(one_hot(x), one_hot(y), predicts)
    assert [finding.code for finding in found] == ([code] if code else [])
    assert all(finding.evidence["shift"] == shift for finding in found)
    assert all(finding.evidence["agreement"] > 0.99 for finding in found)


@pytest.mark.parametrize(("shift", "code"), [(5, "target-leads"), (-30, "misaligned")])
def test_shifted_effects(dry, hand, shift, code):
    """A target that is not the input itself: turned round, and quieter."""
    wet = np.roll(LINEAR.encode(-0.7 * LINEAR.decode(dry)), -shift)
    x, y = windows(dry[40:-40], wet[40:-40])
    (found,) = inspect(hand(one_hot(x)), hand(one_hot(y)), "target")
    assert found.code == code
    assert found.evidence["shift"] * shift > 0


def test_windows_that_repeat(dry, hand):
    x, _ = windows(dry, dry)
    again = x.copy()
    again[5:] = x[:5]
    (found,) = inspect(hand(one_hot(again)), hand(one_hot(again)), "target")
    assert found.code == "window-overlap"
    assert found.evidence["share"] == pytest.approx(0.5, abs=0.1)


def test_silence(hand):
    values = one_hot(np.full((8, 200), 128))
    assert codes(hand(values), hand(values)) == ["silence-dominated"] * 2


def test_several_faults_at_once(dry):
    """The bytes are looked at in the layout that was found."""
    x, y = windows(dry[:-1], dry[1:])
    assert codes(one_hot(x ^ 128).transpose(0, 2, 1), one_hot(y)) == ["axis-order", "signed-bytes"]


# Refused


def test_what_is_no_batch_is_refused(java):
    ones = one_hot(np.zeros((2, 4), int), 3)
    for args, words in (
        ((ones[0], ones), r"shape \(3, 4\)"),
        ((ones, None), "wanted two arrays"),
        ((ones, ones[:1]), "windows x steps"),
        ((ones.astype(str), ones), "wanted numbers"),
        ((ones, ones, "last"), "wanted target, next or None"),
        ((live(ones), ones), "INDArray, ndarray"),
        ((jvm.java_class("java.util.ArrayList")(), None), "java.util.ArrayList"),
    ):
        with pytest.raises(InputError, match=words):
            inspect(*args)
    with pytest.raises(InputError, match="mask"):
        inspect(ones, ones, features_mask=np.ones((5, 5)))


# Somebody's iterator

ITERATORS = """
package some;
import java.util.*;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.DataSetPreProcessor;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

abstract class Base implements DataSetIterator {
    private final byte[] bytes;
    private int at;
    Base() {
        try (var in = Base.class.getResourceAsStream("/dry.raw")) {
            bytes = in.readAllBytes();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
    abstract int classOf(byte b);
    public DataSet next(int num) {
        INDArray x = Nd4j.create(new int[] {num, 256, 300}, 'f'), y = Nd4j.create(new int[] {num, 256, 300}, 'f');
        for (int b = 0; b < num; b++, at += 300) {
            for (int t = 0; t < 300; t++) {
                x.putScalar(new int[] {b, classOf(bytes[at + t]), t}, 1.0);
                y.putScalar(new int[] {b, classOf(bytes[at + t + 1]), t}, 1.0);
            }
        }
        return new DataSet(x, y);
    }
    public DataSet next() { return next(8); }
    public boolean hasNext() { return at + 8 * 300 < bytes.length; }
    public void reset() { at = 0; }
    public boolean resetSupported() { return true; }
    public boolean asyncSupported() { return false; }
    public int batch() { return 8; }
    public int inputColumns() { return 256; }
    public int totalOutcomes() { return 256; }
    public List<String> getLabels() { return null; }
    public void setPreProcessor(DataSetPreProcessor p) { }
    public DataSetPreProcessor getPreProcessor() { return null; }
}
class Healthy extends Base { int classOf(byte b) { return b & 0xff; } }
class Signed extends Base { int classOf(byte b) { return b + 128; } }
class Throws extends Base {
    Throws() { throw new IllegalStateException("no wav here"); }
    int classOf(byte b) { return 0; }
}
class FailsLater extends Base { int classOf(byte b) { throw new ArrayIndexOutOfBoundsException("Index -3"); } }
class Wants extends Base { Wants(int n) { } int classOf(byte b) { return 0; } }
class Other { }

/** As posted: 32 windows of 1000 samples. */
class Posted extends Base {
    static final int BATCH = 32, TIME = 1000;
    private final byte[] bytes;
    private int at;
    Posted() {
        try (var in = Base.class.getResourceAsStream("/long.raw")) {
            bytes = in.readAllBytes();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
    int classOf(byte b) { return b & 0xff; }
    int hop() { return TIME; }
    void put(INDArray a, int b, int c, int t) { a.putScalar(new int[] {b, c, t}, 1.0); }
    INDArray finished(INDArray a) { return a; }
    public DataSet next(int num) {
        INDArray x = Nd4j.create(new int[] {num, 256, TIME}, 'f'), y = Nd4j.create(new int[] {num, 256, TIME}, 'f');
        for (int b = 0; b < num; b++, at += hop()) {
            for (int t = 0; t < TIME; t++) {
                put(x, b, classOf(bytes[at + t]), t);
                put(y, b, classOf(bytes[at + t + 1]), t);
            }
        }
        return new DataSet(finished(x), finished(y));
    }
    public boolean hasNext() { return at + BATCH * TIME < bytes.length; }
    public void reset() { at = 0; }
    public DataSet next() { return next(BATCH); }
    public int batch() { return BATCH; }
}
class PostedSigned extends Posted { int classOf(byte b) { return b + 128; } }
class PostedOverlaps extends Posted { int hop() { return 10; } }
class PostedAxes extends Posted { INDArray finished(INDArray a) { return a.permute(0, 2, 1).dup('c'); } }
class PostedMemory extends Posted {
    INDArray finished(INDArray a) {
        return Nd4j.create(a.dup('c').data().asFloat(), new int[] {BATCH, 256, TIME}, 'f');
    }
}
class PostedTwice extends Posted {
    void put(INDArray a, int b, int c, int t) { super.put(a, b, c, t); super.put(a, b, (c + 7) % 256, t); }
}
"""


@pytest.fixture(scope="module")
def their_jar(tmp_path_factory) -> Path:
    """A jar with iterators over an 8-bit recording that it holds."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "Base.java").write_text(ITERATORS)
    class_path = os.pathsep.join(map(str, jars.class_path()))
    javac = installation.find_java().home / "bin" / "javac"
    subprocess.run([javac, "-cp", class_path, "-d", folder / "classes", folder / "Base.java"], check=True)
    with zipfile.ZipFile(folder / "theirs.jar", "w") as jar:
        for path in (folder / "classes" / "some").glob("*.class"):
            jar.write(path, f"some/{path.name}")
        indices = LINEAR.encode(samples(EXAMPLES / "plucked_dry.wav"))
        jar.writestr("dry.raw", indices[:24_001].tobytes())
        jar.writestr("long.raw", indices.tobytes())
    return folder / "theirs.jar"


def test_iterators_of_a_jar(their_jar):
    """In a process of its own, as the command line opens them."""
    program = """
import json, sys
from dl4j_bridge.diagnostics import handover, inspect
from dl4j_bridge.errors import BridgeError
found = {}
for name in sys.argv[2:]:
    try:
        iterator = handover.open_iterator(name, sys.argv[1])
        found[name] = [[f.code for f in inspect(iterator, predicts="next")] for _ in range(2)]
    except BridgeError as e:
        found[name] = [e.exit_status, str(e)]
print(json.dumps(found))
"""
    names = [f"some.{name}" for name in ("Healthy", "Signed", "Throws", "FailsLater", "Wants", "Other", "Base", "Gone")]
    done = subprocess.run(
        [sys.executable, "-c", program, their_jar, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["some.Healthy"] == [[], []]
    assert found["some.Signed"] == [["signed-bytes", "signed-bytes"]] * 2
    for name, status, words in (
        ("Throws", 1, "IllegalStateException: no wav here"),
        ("FailsLater", 1, "Index -3"),
        ("Wants", 2, "no constructor without arguments"),
        ("Other", 2, "not a DataSetIterator"),
        ("Base", 2, "abstract"),
        ("Gone", 2, "no such class"),
    ):
        assert found[f"some.{name}"][0] == status, found
        assert words in found[f"some.{name}"][1]
        assert "\n" not in found[f"some.{name}"][1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("Posted", None),
        ("PostedSigned", "signed-bytes"),
        ("PostedAxes", "axis-order"),
        ("PostedMemory", "memory-order"),
        ("PostedTwice", "not-one-hot"),
        ("PostedOverlaps", "window-overlap"),
    ],
)
def test_batches_of_the_posted_size_from_the_command_line(their_jar, name, planted):
    result = run("diagnose", "--json", "--classpath", their_jar, "--iterator", f"some.{name}")
    assert [finding["code"] for finding in result.json["findings"]][:1] == ([planted] if planted else []), result.stdout


def test_an_iterator_from_the_command_line(their_jar, tmp_path):
    given = ["diagnose", "--json", "--classpath", their_jar, "--iterator"]
    healthy = run(*given, "some.Healthy")
    assert (healthy.status, healthy.json["verdict"]) == (0, "ok"), healthy.stderr
    assert "network.fit(iterator)" in healthy.json["next"]
    signed = run(*given, "some.Signed")
    assert signed.status == 1
    assert {finding["code"] for finding in signed.json["findings"]} == {"signed-bytes"}
    assert "b & 0xff" in signed.stdout
    assert "change your Java code" in signed.json["next"]
    assert "--iterator some.Signed --classpath" in signed.json["next"]
    # Recordings beside it are looked at in the same JVM.
    small = ["--hidden", "16", "--batch", "4", "--length", "100", "--tbptt", "25", "--quick", "--out", tmp_path / "out"]
    both = run(*given, "some.Healthy", "--input", EXAMPLES / "plucked_dry.wav", *small)
    assert {"batches of some.Healthy", "rates", "identity"} <= {check["name"] for check in both.json["checks"]}


def test_jars_that_cannot_be_used(java, their_jar, tmp_path):
    (tmp_path / "text.jar").write_text("not a zip")
    for path, words in ((tmp_path / "gone.jar", "no such file"), (tmp_path / "text.jar", "not a jar")):
        with pytest.raises(InputError, match=words):
            handover.open_iterator("some.Healthy", str(path))
    with pytest.raises(BridgeError, match=r"already started without .*theirs\.jar"):
        handover.open_iterator("some.Healthy", str(their_jar.parent / "*"))


# Our own


@pytest.mark.parametrize("codec", [LINEAR, MULAW], ids=lambda codec: codec.name)
def test_our_own_hand_over(dry, java, codec):
    x = codec.encode(LINEAR.decode(dry))[:40_000]
    checks = handover.checks(x, x[::-1].copy(), window=500, batch=8, tbptt=70, seed=3, codec=codec)
    outcomes = {check.name: check.run() for check in checks}
    assert all(outcome.findings == [] for outcome in outcomes.values()), outcomes
    tensors, windows_and_split, back = (outcome.figures for outcome in outcomes.values())
    assert tensors == {"samples": 8000, "wrong": 0, "shape": [8, 256, 70], "segments": 8}
    assert windows_and_split["windows"] == 64
    assert windows_and_split["leaked"] == windows_and_split["repeated"] == windows_and_split["torn"] == 0
    assert back == {"samples": 4000, "wrong": 0}


def test_our_own_faults_would_be_seen(java, monkeypatch):
    x = LINEAR.encode(synthesis.plucked_strings(2))
    tensors, windows_and_split, back = handover.checks(x, x, window=200, batch=4, tbptt=50, seed=3, codec=LINEAR)
    with monkeypatch.context() as patch:
        patch.setattr(own, "_training_windows", lambda x, y, *settings: Windows([(x, y)], *settings))
        assert [finding.code for finding in windows_and_split.run().findings] == ["train-valid-leak"]
    with monkeypatch.context() as patch:
        honest = Windows.batch
        patch.setattr(Windows, "batch", lambda self, number: honest(self, 0))
        assert [finding.code for finding in windows_and_split.run().findings] == ["window-overlap"]
    with monkeypatch.context() as patch:
        write = own.OneHot.write
        patch.setattr(own.OneHot, "write", lambda self, part: write(self, np.ascontiguousarray(part[::-1])))
        assert [finding.code for finding in tensors.run().findings] == ["not-one-hot"]
        assert [finding.code for finding in back.run().findings] == ["signed-bytes"]
