"""`dl4j_bridge.java` for people who write their own Java: arrays in both directions, and classes of their jar."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import dl4j_bridge
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import installation, jars, jvm
from dl4j_bridge.java.tensors import DTYPES

TYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
SHAPES = [(), (0,), (0, 3), (2, 0, 4), (1,), (7,), (1, 1), (2, 3), (5, 1), (2, 3, 4), (1, 6, 1), (2, 3, 2, 2, 3)]
LAYOUTS = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "transposed": lambda x: x.T,
    "two axes swapped": lambda x: x.swapaxes(0, -1) if x.ndim else x,
    "backwards": lambda x: x[::-1] if x.ndim else x,
    "backwards along the last": lambda x: x[..., ::-1] if x.ndim else x,
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "slice of Fortran": lambda x: np.asfortranarray(np.concatenate([x, x]))[: len(x)] if x.ndim else x,
    "broadcast": lambda x: np.broadcast_to(x[..., :1], x.shape) if x.ndim else x,
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "in a record": lambda x: np.rec.fromarrays([x, x], names="a,b")["b"] if x.size else x,
}

array, numpy = dl4j_bridge.java.array, dl4j_bridge.java.numpy


def values(shape, dtype):
    count = int(np.prod(shape))
    low = 0 if dtype in ("uint8", "bool") else -count
    return (np.arange(low, low + 3 * count, 3)[:count] % 100 + low // 2).astype(dtype).reshape(shape)


def as_java_sees(java_array) -> np.ndarray:
    """The values through ND4J's own conversion and copy, as doubles in C order."""
    double = jvm.java_class("org.nd4j.linalg.api.buffer.DataType").DOUBLE
    flat = java_array.castTo(double).dup("c").data().asDouble()
    return np.array(flat, float).reshape([int(n) for n in java_array.shape()])


def java_gc() -> None:
    gc.collect()
    for _ in range(3):
        jvm.java_class("java.lang.System").gc()
        time.sleep(0.02)


# --- To Java and back.


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_shape_and_layout_goes_over_and_comes_back(java, dtype, layout):
    for shape in SHAPES:
        x = LAYOUTS[layout](values(shape, dtype))
        there = array(x)
        assert DTYPES[str(there.dataType().name())] == np.dtype(dtype)
        assert tuple(there.shape()) == x.shape
        if x.size:
            np.testing.assert_array_equal(as_java_sees(there), x.astype(float))
        for back in (numpy(there), numpy(there, copy=False)):
            np.testing.assert_array_equal(back, x)
            assert back.dtype == np.dtype(dtype)
            assert back.dtype.isnative
            assert back.shape == x.shape


@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 5)])
def test_the_order_of_memory_is_kept(java, shape):
    for x, order in ((values(shape, "float32"), "c"), (np.asfortranarray(values(shape, "float32")), "f")):
        there = array(x)
        assert str(there.ordering()) == order
        back = numpy(there)
        assert back.strides == x.strides
        assert back.flags.owndata or back.base.flags.owndata
    assert str(array(x[:, ::-1]).ordering()) == "c"


def test_what_numpy_makes_an_array_of_goes_over_too(java):
    assert array([[1.0, 2.0], [3.0, 4.0]]).getDouble(1, 0) == 3
    assert numpy(array(7)).item() == 7


def test_nan_infinities_and_the_largest_values_are_kept(java):
    for dtype in ("float32", "float64"):
        x = np.array([np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).tiny], dtype)
        assert numpy(array(x)).tobytes() == x.tobytes()
    x = np.array([2**63 - 1, -(2**63)])
    np.testing.assert_array_equal(numpy(array(x)), x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_views_of_java_have_their_strides(java, dtype, order):
    x = np.array(values((4, 6, 5), dtype), order=order)
    there = array(x)
    index = jvm.java_class("org.nd4j.linalg.indexing.NDArrayIndex")
    step, every, point = index.interval(1, 2, 6), index.all(), index.point(2)
    views = {
        "slice": (there.slice(1, 1), x[:, 1]),
        "nested": (there.slice(2, 0).slice(3, 1), x[2, :, 3]),
        "transposed": (there.slice(1, 2).transpose(), x[:, :, 1].T),
        "interval": (there.get(every, step, every), x[:, 1:6:2]),
        "point in interval": (there.get(every, step, point), x[:, 1:6:2, 2]),
        "permuted": (there.permute(2, 0, 1), x.transpose(2, 0, 1)),
    }
    for name, (view, wanted) in views.items():
        for copy in (True, False):
            found = numpy(view, copy=copy)
            np.testing.assert_array_equal(found, wanted, err_msg=name)
    seen = numpy(views["interval"][0], copy=False)
    seen[...] = 1
    x[:, 1:6:2] = 1
    np.testing.assert_array_equal(as_java_sees(there), x.astype(float))


def test_a_view_shows_what_java_writes_and_writes_what_java_sees(java):
    there = array(np.zeros((2, 3), np.float32))
    view, copy = numpy(there, copy=False), numpy(there)
    there.putScalar(1, 2, 5.0)
    view[0, 0] = 7
    assert (view[1, 2], there.getDouble(0, 0)) == (5, 7)
    assert not copy.any()


# --- Lifetime.


def test_the_source_may_change_after_the_copy(java):
    x = np.ones(1000, np.float32)
    there = array(x)
    x[:] = 2
    assert there.sumNumber().doubleValue() == 1000


def test_a_view_keeps_the_array_alive(java):
    views = []
    for number in range(50):
        there = array(np.full(10_000, number, np.int32))
        # Also of a view in Java, whose parent nobody names any more.
        views.append(numpy(there.reshape(100, 100).slice(1, 1) if number % 2 else there, copy=False)[5:])
        del there
    for _ in range(2):
        java_gc()
        others = [array(np.full(10_000, -1, np.int32)) for _ in range(50)]
    del others
    for number, view in enumerate(views):
        assert (view == number).all()


def test_an_array_that_only_java_refers_to_stays(java):
    held = jvm.java_class("java.util.ArrayList")()
    for number in range(50):
        held.add(array(np.full(10_000, number, np.float32)))
    java_gc()
    for _ in range(50):
        array(np.full(10_000, -1, np.float32))
    for number in range(50):
        found = numpy(held.get(number))
        assert (found == number).all()


def test_a_copy_survives_the_array(java):
    there = array(np.arange(5.0))
    copy = numpy(there)
    there.close()
    np.testing.assert_array_equal(copy, np.arange(5.0))
    with pytest.raises(InputError, match="INDArray: closed; wanted one that still has its memory"):
        numpy(there)


def test_ten_thousand_arrays_leave_nothing(java):
    pointers = jvm.java_class("org.bytedeco.javacpp.Pointer")
    x = np.zeros(1000, np.float32)
    for _ in range(100):
        numpy(array(x), copy=False)
    java_gc()
    bytes_before, count_before = pointers.totalBytes(), pointers.totalCount()
    for number in range(10_000):
        numpy(array(x), copy=bool(number % 2))
    end = time.monotonic() + 60
    # ND4J frees in threads of its own.
    while time.monotonic() < end:
        java_gc()
        if pointers.totalBytes() - bytes_before < 100 * x.nbytes and pointers.totalCount() - count_before < 100:
            return
    raise AssertionError((bytes_before, pointers.totalBytes(), count_before, pointers.totalCount()))


# --- Refusals.


@pytest.mark.parametrize("x", [np.zeros(2, complex), np.array(["a"]), np.array([None]), np.zeros(2, "u4")])
def test_types_that_nd4j_lacks(java, x):
    with pytest.raises(InputError, match=rf"array: an array of {x.dtype}; wanted float32, .*: x\.astype") as e:
        array(x)
    assert "\n" not in str(e.value)


def test_what_is_no_array_of_nd4j(java):
    for x, kind in (([1.0], "list"), (None, "NoneType"), (jvm.java_class("java.util.ArrayList")(), "ArrayList")):
        with pytest.raises(InputError, match=f"{kind}; wanted an INDArray of ND4J"):
            numpy(x)
    unsigned = array(np.zeros(3)).castTo(jvm.java_class("org.nd4j.linalg.api.buffer.DataType").UINT32)
    with pytest.raises(InputError, match=r"INDArray: of type UINT32; wanted FLOAT, .*: indarray\.castTo"):
        numpy(unsigned)


@contextmanager
def workspace():
    """One of ND4J's, in which this thread allocates."""
    manager = jvm.java_class("org.nd4j.linalg.factory.Nd4j").getWorkspaceManager()
    opened = manager.getAndActivateWorkspace("theirs")
    try:
        yield
    finally:
        opened.close()


def test_arrays_of_a_workspace_are_copied_and_never_viewed(java):
    with workspace():
        ours = array(np.arange(3.0))
        theirs = ours.dup()
        assert not ours.isAttached()
        assert theirs.isAttached()
        np.testing.assert_array_equal(numpy(theirs), [0, 1, 2])
        with pytest.raises(InputError, match=r"of a workspace, which reuses its memory; wanted copy=True, or"):
            numpy(theirs, copy=False)
        detached = numpy(theirs.detach(), copy=False)
    np.testing.assert_array_equal(detached, [0, 1, 2])
    np.testing.assert_array_equal(numpy(ours), [0, 1, 2])
    with pytest.raises(InputError, match="of a workspace that is closed"):
        numpy(theirs)


def test_a_class_that_java_does_not_find(java):
    with pytest.raises(InputError, match=r"no\.such\.Class: not loaded \(.*\); wanted its full name, and its jar") as e:
        dl4j_bridge.java.java_class("no.such.Class")
    assert "\n" not in str(e.value)


def test_the_class_path_is_checked_and_cannot_change_later(java, tmp_path):
    (tmp_path / "text.jar").write_text("not a zip")
    for path, words in ((tmp_path / "gone.jar", "no such file"), (tmp_path / "text.jar", "not a jar")):
        with pytest.raises(InputError, match=words):
            dl4j_bridge.java.use(path)
    with pytest.raises(BridgeError, match=f"already started without {tmp_path}; start another Python process"):
        dl4j_bridge.java.use(classpath=[tmp_path])
    dl4j_bridge.java.use([])


def test_importing_the_package_imports_nothing_heavy():
    program = """
import sys
import dl4j_bridge.java
dl4j_bridge.java.use  # noqa
import jnius_config
assert not jnius_config.vm_running
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    program = "import sys; import dl4j_bridge.java; assert not {'numpy', 'jnius_config', 'psutil'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


# --- A network with classes of one's own.

THEIRS = """
package theirs;

import java.util.Collection;
import java.util.List;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.DataSetPreProcessor;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

public class Batches implements DataSetIterator {
    private final int count;
    private int at;

    public Batches(int count) { this.count = count; }

    public DataSet next(int examples) {
        at++;
        INDArray x = Nd4j.rand(DataType.FLOAT, examples, 1, 20).subi(0.5);
        return new DataSet(x, x.mul(0.5));
    }

    public DataSet next() { return next(4); }
    public boolean hasNext() { return at < count; }
    public int inputColumns() { return 1; }
    public int totalOutcomes() { return 1; }
    public boolean resetSupported() { return true; }
    public boolean asyncSupported() { return false; }
    public void reset() { at = 0; }
    public int batch() { return 4; }
    public void setPreProcessor(DataSetPreProcessor preProcessor) { }
    public DataSetPreProcessor getPreProcessor() { return null; }
    public List<String> getLabels() { return null; }

    public static class Counter extends BaseTrainingListener {
        public int iterations;
        public double score;
        @Override public void iterationDone(Model model, int iteration, int epoch) {
            iterations++;
            score = model.score();
        }
    }

    public static class Triple extends ActivationLayer {
        public Triple() { super(Activation.IDENTITY); }

        @Override public Layer instantiate(NeuralNetConfiguration conf, Collection<TrainingListener> listeners,
                int index, INDArray parameters, boolean initialize, DataType type) {
            Layer layer = new TripleLayer(conf, type);
            layer.setIndex(index);
            layer.setParamsViewArray(parameters);
            return layer;
        }
    }

    private static class TripleLayer extends org.deeplearning4j.nn.layers.ActivationLayer {
        TripleLayer(NeuralNetConfiguration conf, DataType type) { super(conf, type); }

        @Override public INDArray activate(boolean training, LayerWorkspaceMgr workspaces) {
            return workspaces.leverageTo(ArrayType.ACTIVATIONS, input.mul(3));
        }
    }
}
"""

# One of `frames`.
TRAINED = Path(__file__).parents[1] / "data" / "version_0.1.0" / "run"
PROGRAM = """
import json, sys
import numpy as np
import dl4j_bridge
from dl4j_bridge import java

java.use(classpath=sys.argv[1])
found = {}
run = dl4j_bridge.load(sys.argv[2])
x = np.linspace(-0.5, 0.5, 300, dtype=np.float32)
before = run.process(x)
counter = java.java_class("theirs.Batches$Counter")()
run.dl4j.addListeners(counter)
batches = java.java_class("theirs.Batches")(6)
run.dl4j.fit(java.cast("org.nd4j.linalg.dataset.api.iterator.DataSetIterator", batches), 2)
found["iterations"] = counter.iterations
found["changed"] = bool(np.any(run.process(x) != before))
same = java.numpy(run.dl4j.output(java.array(x.reshape(1, 1, -1)))).ravel()
found["difference"] = float(np.abs(same - run.process(x)).max())

name = "org.deeplearning4j.nn.conf."
layers = java.java_class(name + "NeuralNetConfiguration$Builder")().list()
layers.layer(java.java_class("theirs.Batches$Triple")())
loss = java.java_class("org.nd4j.linalg.lossfunctions.LossFunctions$LossFunction").MSE
layers.layer(java.java_class(name + "layers.LossLayer$Builder")(loss).build())
net = java.java_class("org.deeplearning4j.nn.multilayer.MultiLayerNetwork")(layers.build())
net.init()
found["tripled"] = java.numpy(net.output(java.array(np.array([[1.0, 2.0]], np.float32)))).tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def their_jar(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "Batches.java").write_text(THEIRS)
    class_path = os.pathsep.join(map(str, jars.class_path()))
    javac = installation.find_java().home / "bin" / "javac"
    subprocess.run([javac, "-cp", class_path, "-d", folder / "classes", folder / "Batches.java"], check=True)
    with zipfile.ZipFile(folder / "theirs.jar", "w") as jar:
        for path in (folder / "classes" / "theirs").glob("*.class"):
            jar.write(path, f"theirs/{path.name}")
    return folder / "theirs.jar"


def test_an_iterator_a_listener_and_a_layer_of_a_jar(their_jar):
    command = [sys.executable, "-c", PROGRAM, their_jar, TRAINED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["iterations"] == 12
    assert found["changed"]
    assert found["difference"] < 1e-5
    assert found["tripled"] == [[3.0, 6.0]]


def test_the_network_of_a_run_is_that_of_dl4j(java):
    run = dl4j_bridge.load(TRAINED)
    assert run.dl4j.numParams() == run._model.network.parameter_count
    params = numpy(run.dl4j.params(), copy=False)
    np.testing.assert_array_equal(params.ravel(), run._model.network.parameters())
    before = run.process(np.ones(50))
    params *= 2
    assert not np.array_equal(run.process(np.ones(50)), before)
