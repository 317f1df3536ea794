"""ND4J arrays written and read from NumPy by address. All checks that make this safe are in this module.

With the CUDA backend the address is that of the host copy: a write marks it as the newer copy, and a read first brings
it up to date. The CPU backend has one copy and needs neither call.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm

# ND4J's types that NumPy has too.
DTYPES: dict[str, np.dtype[Any]] = {
    "FLOAT": np.dtype(np.float32),
    "DOUBLE": np.dtype(np.float64),
    "HALF": np.dtype(np.float16),
    "INT": np.dtype(np.int32),
    "LONG": np.dtype(np.int64),
    "SHORT": np.dtype(np.int16),
    "BYTE": np.dtype(np.int8),
    "UBYTE": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
# Those of `NativeArray`.
_OURS = ("FLOAT", "DOUBLE", "UBYTE")


class _Memory:
    """NumPy's array interface to the memory of a Java tensor, which stays reachable as long as this object."""

    def __init__(self, java: Any, interface: dict[str, Any]) -> None:
        self.java = java
        self.__array_interface__ = interface


def memory_of(java: Any) -> npt.NDArray[Any]:
    """Return a view of an array of ND4J, with its shape and strides; it keeps the array reachable in Java.

    Parameters
    ----------
    java : dl4jbridge.Tensor
        With at least one element, of one of `DTYPES`.

    Raises
    ------
    BridgeError
        If the elements are not all inside of the memory that belongs to it.
    """
    dtype = DTYPES[str(java.dataType())]
    shape, strides = tuple(map(int, java.shape())), tuple(map(int, java.strides()))
    address, left = int(java.address()), int(java.elementsFromAddress())
    furthest = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if min(strides, default=0) < 0 or furthest >= left or int(java.length()) != math.prod(shape):
        raise BridgeError("tensor", f"strides {strides} for shape {shape}", f"wanted all within {left} elements")
    if address == 0 or address % dtype.itemsize:
        raise BridgeError("tensor", f"address {address:#x}", f"wanted a multiple of {dtype.itemsize}")
    interface = {
        "version": 3,
        "shape": shape,
        "typestr": dtype.str,
        "strides": tuple(stride * dtype.itemsize for stride in strides),
        "data": (address, False),
    }
    return np.asarray(_Memory(java, interface))


class NativeArray:
    """An ND4J array and a NumPy view of its memory.

    ND4J owns the memory. The view is valid only while this object exists and is not closed, so it stays private:
    values are copied in and out.

    Parameters
    ----------
    java : dl4jbridge.Tensor

    Attributes
    ----------
    shape : tuple of int
    order : str
        ``f`` (first axis fastest) or ``c``.

    Raises
    ------
    BridgeError
        If the array is not dense or has another type than FLOAT, DOUBLE or UBYTE, so that reading it by address would
        be wrong.
    """

    def __init__(self, java: Any) -> None:
        self.java = java
        self.shape = tuple(int(n) for n in java.shape())
        self.order = str(java.order())
        name = str(java.dataType())
        if name not in _OURS:
            raise BridgeError("tensor", f"data type {name}", f"wanted one of {', '.join(_OURS)}")
        _check_strides(self.shape, self.order, tuple(int(n) for n in java.strides()))
        # A view: the array is dense.
        self._flat: npt.NDArray[Any] | None = memory_of(java).reshape(-1, order="F" if self.order == "f" else "C")

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: str = "FLOAT", order: str = "f") -> NativeArray:
        """Allocate an array of zeros in ND4J, outside of its workspaces.

        Parameters
        ----------
        shape : tuple of int
        dtype : str
            ND4J's name of the type: ``FLOAT``, ``DOUBLE`` or ``UBYTE``.
        order : str
            ``f`` (first axis fastest) or ``c``.
        """
        with jvm.java_errors("tensor"):
            return cls(jvm.java_class("dl4jbridge.Tensor").zeros(dtype, order, list(shape)))

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> NativeArray:
        """Copy `values` (float32, float64 or uint8) to a new array of the same shape and type, in 'f' order."""
        array = cls.zeros(values.shape, NAMES[values.dtype])
        array.fill(values)
        return array

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type of the elements."""
        return self._memory().dtype

    def fill(self, values: npt.NDArray[Any]) -> None:
        """Copy all values, once, whatever their memory order.

        Parameters
        ----------
        values : ndarray of the array's shape
            Of the array's type, or of one that NumPy converts to it within the same kind.

        Raises
        ------
        BridgeError
            If type or shape do not fit; the memory is then unchanged.
        """
        if values.shape != self.shape or not np.can_cast(values.dtype, self.dtype, "same_kind"):
            raise BridgeError(
                "tensor", f"{values.dtype} values of shape {values.shape}", f"wanted {self.dtype} of {self.shape}"
            )
        self._shaped()[...] = values
        self.changed()

    def write(self, values: npt.NDArray[Any]) -> None:
        """Copy values to the front of the memory.

        Parameters
        ----------
        values : ndarray of the array's type, shape (n,)
            In the array's memory order, n at most its length.

        Raises
        ------
        BridgeError
            If type or shape do not fit; the memory is then unchanged.
        """
        flat = self._memory()
        if values.dtype != flat.dtype or values.ndim != 1 or values.size > flat.size:
            raise BridgeError(
                "tensor", f"{values.dtype} values of shape {values.shape}", f"wanted up to {flat.size} of {flat.dtype}"
            )
        flat[: values.size] = values
        self.changed()

    def read(self, rows: int | None = None) -> npt.NDArray[Any]:
        """Return a copy of the values in the array's shape and memory order.

        Parameters
        ----------
        rows : int, optional
            Number of elements of the first axis to copy; all if None.
        """
        if jvm.backend() == "cuda":
            self.java.toHost()
        return self._shaped()[:rows].copy(order="K")

    def changed(self) -> None:
        """Notify ND4J that the memory was written to."""
        if jvm.backend() == "cuda":
            self.java.hostChanged()

    def close(self) -> None:
        """Free the memory now instead of at Java's next garbage collection."""
        self._flat = None
        self.java.close()

    def _shaped(self) -> npt.NDArray[Any]:
        return self._memory().reshape(self.shape, order="F" if self.order == "f" else "C")

    def _memory(self) -> npt.NDArray[Any]:
        if self._flat is None:
            raise BridgeError("tensor", "closed", "wanted one that is still open")
        return self._flat


class OneHot:
    """A one-hot tensor, shape (batch, classes, steps) in 'f' order, reused for one segment after the other.

    Only the ones of the previous segment are cleared: batch * steps writes instead of batch * classes * steps.

    Parameters
    ----------
    batch, classes, steps : int
        The shape; a segment may have fewer steps.
    """

    def __init__(self, batch: int, classes: int, steps: int) -> None:
        self.array = NativeArray.zeros((batch, classes, steps))
        self._classes = classes
        # Offset of class 0 of each (row, step): element (b, c, t) is at b + batch * (c + classes * t).
        self._origin = np.arange(batch)[:, None] + batch * classes * np.arange(steps)
        self._set: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def write(self, indices: npt.NDArray[np.uint8]) -> Any:
        """Write a segment.

        Parameters
        ----------
        indices : ndarray of uint8, shape (batch, n)
            Class of each sample, n at most `steps`. The steps from n on become zero.

        Returns
        -------
        dl4jbridge.Tensor

        Raises
        ------
        BridgeError
            If type, shape or a class do not fit; the tensor is then unchanged.
        """
        batch, steps = self._origin.shape
        if indices.dtype != np.uint8 or indices.ndim != 2 or indices.shape[0] != batch or indices.shape[1] > steps:
            raise BridgeError(
                "one-hot tensor",
                f"{indices.dtype} indices of shape {indices.shape}",
                f"wanted uint8 of ({batch}, up to {steps})",
            )
        # uint8 holds no class above 255.
        if self._classes < 256 and indices.size and int(indices.max()) >= self._classes:
            raise BridgeError("one-hot tensor", f"class {int(indices.max())}", f"wanted 0 to {self._classes - 1}")
        memory = self.array._memory()
        memory[self._set] = 0
        offsets = np.multiply(indices, batch, dtype=np.int64)
        offsets += self._origin[:, : indices.shape[1]]
        self._set = offsets.ravel()
        memory[self._set] = 1
        self.array.changed()
        return self.array.java


class Dense:
    """A dense tensor, shape (batch, width, steps) in 'f' order, reused for one segment after the other.

    Parameters
    ----------
    batch, width, steps : int
        The shape; a segment may have fewer steps.
    """

    def __init__(self, batch: int, width: int, steps: int) -> None:
        self.array = NativeArray.zeros((batch, width, steps))

    def write(self, vectors: npt.NDArray[np.float32]) -> Any:
        """Write a segment.

        Parameters
        ----------
        vectors : ndarray of float32, shape (batch, n, width)
            Vector of each time step, n at most `steps`. The steps from n on are unchanged.

        Returns
        -------
        dl4jbridge.Tensor

        Raises
        ------
        BridgeError
            If type or shape do not fit; the tensor is then unchanged.
        """
        batch, width, steps = self.array.shape
        if vectors.dtype != np.float32 or vectors.ndim != 3 or vectors.shape[::2] != (batch, width):
            raise BridgeError(
                "dense tensor",
                f"{vectors.dtype} vectors of shape {vectors.shape}",
                f"wanted float32 of ({batch}, up to {steps}, {width})",
            )
        # In 'f' order the first steps are one block at the front.
        self.array.write(vectors.transpose(1, 2, 0).ravel())
        return self.array.java


def segment_tensor(is_one_hot: bool, batch: int, width: int, steps: int) -> OneHot | Dense:
    """Return a tensor of classes or of vectors, for segments of up to `steps` time steps."""
    return OneHot(batch, width, steps) if is_one_hot else Dense(batch, width, steps)


def _check_strides(shape: tuple[int, ...], order: str, strides: tuple[int, ...]) -> None:
    dense = np.empty(shape, np.uint8, "F" if order == "f" else "C").strides
    # ND4J may give any stride to an axis of length 1.
    if any(n != 1 and found != wanted for n, found, wanted in zip(shape, strides, dense, strict=True)):
        raise BridgeError("tensor", f"strides {strides} for shape {shape}", f"wanted a dense '{order}' array")
