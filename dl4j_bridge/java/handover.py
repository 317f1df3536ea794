"""Arrays, classes and jars of people who write their own Java: `array`, `numpy`, `java_class`, `cast` and `use`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jars, jvm
from dl4j_bridge.java.jvm import cast, java_class
from dl4j_bridge.java.tensors import DTYPES, NAMES, memory_of

__all__ = ["array", "cast", "java_class", "numpy", "use"]


def use(classpath: str | PathLike[str] | Sequence[str | PathLike[str]]) -> None:
    """Add jars and folders of classes to Java's class path; to be called before anything starts the JVM.

    Parameters
    ----------
    classpath : path or sequence of paths
        Each of them as ``java -cp`` takes it: a jar, a folder of classes, ``lib/*``, or several of these with ``:``
        between them (``;`` on Windows). They come after the package's jars: if both contain DL4J, the package's version
        is used.

    Raises
    ------
    InputError
        There is no such jar or folder.
    BridgeError
        The JVM already runs without one of them.
    """
    entries = [classpath] if isinstance(classpath, str | PathLike) else classpath
    jvm.configure(own_class_path=jars.users_class_path(os.pathsep.join(str(entry) for entry in entries)))


def array(x: npt.ArrayLike) -> Any:
    """Copy a NumPy array to a new array of ND4J. Starts the JVM if it does not run yet.

    Parameters
    ----------
    x : array_like
        float16, float32, float64, int8, int16, int32, int64, uint8 or bool; any number of axes of any length, also 0.
        The result keeps C and Fortran order; other strides become C order.

    Returns
    -------
    org.nd4j.linalg.api.ndarray.INDArray
        Of the same shape and values, and of ND4J's type of that name: ``FLOAT``, ``DOUBLE``, ``LONG``, ``UBYTE``, ...
        The values are copied once, to memory that belongs to ND4J, so `x` may change afterwards. The memory is freed
        when neither Python nor Java refers to the array any more and Java collects its garbage, or by ``close()`` of
        the array.

    Raises
    ------
    InputError
        ND4J has no such type.

    Examples
    --------
    >>> import dl4j_bridge.java
    >>> x = dl4j_bridge.java.array(np.arange(6, dtype=np.float32).reshape(2, 3))
    >>> x.getDouble(1, 0)
    3.0
    """
    values = np.asarray(x)
    # Values of the other byte order are swapped while they are copied.
    name = NAMES.get(values.dtype.newbyteorder("="))
    if name is None:
        raise InputError("array", f"an array of {values.dtype}", f"wanted {', '.join(map(str, NAMES))}: x.astype(...)")
    order = "f" if values.flags.fnc else "c"
    with jvm.java_errors("array"):
        tensor = jvm.java_class("dl4jbridge.Tensor").zeros(name, order, list(values.shape))
        if values.size:
            np.copyto(memory_of(tensor), values, casting="equiv")
            tensor.hostChanged()
        return tensor.array()


def numpy(indarray: Any, copy: bool = True) -> npt.NDArray[Any]:
    """Return the values of an array of ND4J.

    Parameters
    ----------
    indarray : org.nd4j.linalg.api.ndarray.INDArray
        Of a type that `array` makes; also a view of another array, with its strides.
    copy : bool
        False returns a view of ND4J's memory, without a copy: what Java writes, NumPy reads, and the other way round.
        The view keeps the array of ND4J alive, also after the last variable for it is gone. Only ``close()`` in Java
        frees the memory before that, and the view must not be used afterwards.

    Returns
    -------
    ndarray
        Of the same shape, in the same memory order.

    Raises
    ------
    InputError
        It is no INDArray, is closed, has a type that NumPy lacks or belongs to a workspace that has ended. Without a
        copy: it belongs to a workspace, which will use its memory for something else, or is on a GPU.

    Examples
    --------
    >>> import dl4j_bridge.java
    >>> x = dl4j_bridge.java.array(np.zeros((2, 3), np.float32))
    >>> view = dl4j_bridge.java.numpy(x, copy=False)
    >>> view[1] = 7
    >>> x.sumNumber().doubleValue()
    21.0
    """
    tensor = jvm.java_class("dl4jbridge.Tensor").ofObject(indarray) if jvm.is_java(indarray) else None
    if tensor is None:
        raise InputError("numpy()", f"an object of type {type(indarray).__name__}", "wanted an INDArray of ND4J")
    if indarray.wasClosed():
        raise InputError("INDArray", "closed", "wanted one that still has its memory")
    name = str(tensor.dataType())
    if name not in DTYPES:
        raise InputError("INDArray", f"of type {name}", f"wanted {', '.join(DTYPES)}: indarray.castTo(...)")
    if indarray.isAttached():
        _check_workspace(indarray, copy)
    if not copy and jvm.backend() == "cuda":
        raise InputError("INDArray", "on a GPU, where NumPy cannot read", "wanted copy=True")
    if indarray.isEmpty():
        return np.zeros(tuple(tensor.shape()), DTYPES[name])
    with jvm.java_errors("INDArray"):
        tensor.toHost()
    view = memory_of(tensor)
    return view.copy(order="K") if copy else view


def _check_workspace(indarray: Any, copy: bool) -> None:
    if not indarray.isInScope():
        raise InputError(
            "INDArray",
            "of a workspace that is closed, which may have reused its memory",
            "wanted indarray.detach() before the workspace is closed",
        )
    if not copy:
        raise InputError(
            "INDArray", "of a workspace, which reuses its memory", "wanted copy=True, or indarray.detach()"
        )
