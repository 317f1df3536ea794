"""One-hot tensors written by address, compared with the loop that they replace."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NativeArray, OneHot


def as_java_sees(java_array):
    """Return the values through ND4J's own indexing instead of by address."""
    values = java_array.dup("c").reshape(java_array.length()).toFloatVector()
    return np.array(values, np.float32).reshape([int(n) for n in java_array.shape()])


def test_bit_equal_to_the_posted_iterator(java):
    """DL4J's character example adapted to samples, which calls putScalar for each; includes bytes above 127."""
    rng = np.random.default_rng(0)
    batch, length = 5, 13
    x, y = (rng.integers(0, 256, batch * length, dtype=np.uint8) for _ in range(2))
    x[:2] = 0, 255
    posted = jvm.java_class("dl4jbridge.reference.PostedIterator")(x.tobytes(), y.tobytes(), length, None).next(batch)
    for java_array, signal in ((posted.getFeatures(), x), (posted.getLabels(), y)):
        ours = OneHot(batch, 256, length)
        ours.write(signal.reshape(batch, length))
        theirs = NativeArray(jvm.java_class("dl4jbridge.Tensor").of(java_array))
        assert theirs.order == ours.array.order == "f"
        np.testing.assert_array_equal(ours.array.read(), theirs.read())
        np.testing.assert_array_equal(ours.array.read(), as_java_sees(java_array))


def test_java_sees_every_segment_as_it_was_written(java):
    """A shorter segment after a longer one, and back: nothing of the previous segment remains."""
    rng = np.random.default_rng(1)
    one_hot = OneHot(3, 7, 4)
    for steps in (4, 2, 4, 1, 3):
        indices = rng.integers(0, 7, (3, steps), dtype=np.uint8)
        seen = as_java_sees(one_hot.write(indices).array())
        wanted = np.zeros((3, 7, 4), np.float32)
        wanted[np.arange(3)[:, None], indices, np.arange(steps)] = 1
        np.testing.assert_array_equal(seen, wanted)


@pytest.mark.parametrize(
    "indices",
    [
        np.zeros((3, 5), np.uint8),
        np.zeros((2, 4), np.uint8),
        np.zeros((3, 4), np.int64),
        np.zeros(12, np.uint8),
        np.full((3, 4), 7, np.uint8),
    ],
    ids=["too long", "wrong batch", "wrong dtype", "wrong rank", "class out of range"],
)
def test_wrong_indices_are_refused_and_leave_the_tensor_unchanged(java, indices):
    one_hot = OneHot(3, 7, 4)
    one_hot.write(np.ones((3, 4), np.uint8))
    before = one_hot.array.read()
    with pytest.raises(BridgeError):
        one_hot.write(indices)
    np.testing.assert_array_equal(one_hot.array.read(), before)


def test_views_and_foreign_types_are_refused(java):
    nd4j, tensor = jvm.java_class("org.nd4j.linalg.factory.Nd4j"), jvm.java_class("dl4jbridge.Tensor")
    whole = tensor.zeros("FLOAT", "f", [4, 6]).array()
    with pytest.raises(BridgeError, match="strides"):
        NativeArray(tensor.of(nd4j.stack(0, whole, whole).slice(1, 1)))
    with pytest.raises(BridgeError, match="data type HALF"):
        NativeArray(tensor.zeros("HALF", "f", [2, 2]))


@pytest.mark.parametrize("order", ["c", "f"])
def test_values_in_any_memory_order_are_copied_to_their_places(java, order):
    values = np.arange(24.0).reshape(2, 3, 4)
    array = NativeArray.zeros(values.shape, "DOUBLE", order)
    for given in (values, np.asfortranarray(values) + 1, (values + 2)[::-1, :, ::2].repeat(2, axis=2)):
        array.fill(given)
        np.testing.assert_array_equal(array.read(), given)
        assert float(array.java.array().getDouble(1, 2, 0)) == given[1, 2, 0]
    with pytest.raises(BridgeError, match="wanted float64"):
        array.fill(values.astype(complex))
    with pytest.raises(BridgeError, match="wanted float64"):
        array.fill(values[:1])


def test_a_closed_tensor_cannot_be_touched(java):
    array = NativeArray.zeros((4,), "UBYTE", "c")
    array.write(np.arange(4, dtype=np.uint8))
    np.testing.assert_array_equal(array.read(), [0, 1, 2, 3])
    array.close()
    with pytest.raises(BridgeError, match="closed"):
        array.read()
    with pytest.raises(BridgeError, match="closed"):
        array.write(np.zeros(4, np.uint8))


def test_too_many_values_are_refused(java):
    array = NativeArray.zeros((4,), "UBYTE", "c")
    for values in (np.zeros(5, np.uint8), np.zeros(4, np.float32), np.zeros((2, 2), np.uint8)):
        with pytest.raises(BridgeError):
            array.write(values)
