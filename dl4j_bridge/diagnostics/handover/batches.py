"""NumPy arrays from somebody else's batches: arrays, two live INDArrays, a DataSet or a DataSetIterator."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import jars, jvm
from dl4j_bridge.java.tensors import NativeArray

Values = npt.NDArray[Any]

# Batches that are taken of an iterator: enough to see whether windows repeat; 32 x 256 x 1000 floats are 33 MB each.
BATCHES = 4
WANTED = "wanted two arrays [batch, classes, time], a DataSet or a DataSetIterator"
WANTED_CLASS = "wanted a DataSetIterator on --classpath, with a constructor without arguments"


@dataclass(frozen=True)
class Batch:
    """A batch as somebody's code made it.

    Attributes
    ----------
    features, labels : ndarray
        Three axes, which should be [batch, classes, time].
    features_mask, labels_mask : ndarray or None
        [batch, time]; 0 where a step does not count.
    """

    features: Values
    labels: Values
    features_mask: Values | None = None
    labels_mask: Values | None = None

    def __post_init__(self) -> None:
        for name, axes in (("features", 3), ("labels", 3), ("features_mask", 2), ("labels_mask", 2)):
            value = getattr(self, name)
            if value is not None and (value.ndim != axes or value.dtype.kind not in "fiub" or 0 in value.shape):
                wanted = "[batch, classes, time]" if axes == 3 else "[batch, time]"
                raise InputError(name, f"{value.dtype} of shape {value.shape}", f"wanted numbers of {wanted}")
        for name in ("features", "labels"):
            mask, shape = getattr(self, f"{name}_mask"), getattr(self, name).shape
            # The classes may be on any axis: that is a finding, not an error.
            if mask is not None and mask.size not in {a * b for a, b in combinations(shape, 2)}:
                raise InputError(f"{name} mask", f"shape {mask.shape} for {shape}", "wanted [batch, time]")


def read_batches(
    features: Any, labels: Any = None, features_mask: Any = None, labels_mask: Any = None
) -> Iterator[Batch]:
    """Return the batches, one at a time.

    Raises
    ------
    InputError
        Neither arrays of these axes nor one of DL4J's batches.
    BridgeError
        An iterator throws.
    """
    live = jvm.is_java(features)
    if live and (labels is None or jvm.is_java(labels)):
        yield from _read_java(features, labels)
    elif live or labels is None or jvm.is_java(labels):
        raise InputError("features, labels", f"{type(features).__name__}, {type(labels).__name__}", WANTED)
    else:
        masks = (None if mask is None else np.asarray(mask) for mask in (features_mask, labels_mask))
        yield Batch(np.asarray(features), np.asarray(labels), *masks)


def open_iterator(class_name: str, class_path: str = "") -> Any:
    """Make a ``DataSetIterator`` of a class somebody wrote.

    Parameters
    ----------
    class_name
        With its package; its constructor takes no arguments.
    class_path
        Jars and folders of classes as ``java -cp`` takes them, ``lib/*`` included.

    Returns
    -------
    object
        For `inspect`.

    Raises
    ------
    InputError
        No such jar, no such class, no DataSetIterator, no such constructor.
    BridgeError
        The constructor throws, or the JVM runs already without these jars.
    """
    jvm.configure(own_class_path=jars.users_class_path(class_path))
    reader = jvm.java_class("dl4jbridge.BatchReader")
    with jvm.java_errors(class_name):
        problem = reader.problemOf(class_name)
        if problem is not None:
            raise InputError(class_name, str(problem), WANTED_CLASS)
    return _without_io_errors(class_name, lambda: reader.open(class_name))


def _read_java(features: Any, labels: Any) -> Iterator[Batch]:
    readers = jvm.java_class("dl4jbridge.BatchReader")
    name = str(features.getClass().getName())
    reader = readers.of(features) if labels is None else readers.ofArrays(features, labels)
    if reader is None:
        raise InputError(name, "no batches", WANTED)
    for _ in range(BATCHES):
        if not _without_io_errors(name, reader.next):
            break
        with jvm.java_errors(name):
            tensors = (reader.features(), reader.labels(), reader.featuresMask(), reader.labelsMask())
            values: list[Any] = [None if tensor is None else copy_out(tensor) for tensor in tensors]
            if values[0] is None or values[1] is None:
                raise InputError("DataSet", "without features or labels", WANTED)
            yield Batch(*values)
    with jvm.java_errors(name):
        reader.reset()


def copy_out(tensor: Any) -> Values:
    """The values of a Java tensor that nobody else needs; its memory is freed."""
    with closing(NativeArray(tensor)) as array:
        return array.read()


def _without_io_errors(subject: str, call: Any) -> Any:
    """Call Java; its own IOException is a fault of the user's class like any other."""
    try:
        with jvm.java_errors(subject):
            return call()
    except OSError as e:
        raise BridgeError(subject, f"Java says IOException: {e}", "fix the class or the file that it reads") from e
