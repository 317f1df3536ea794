"""ND4J arrays filled and read from NumPy, by address. All checks of that happen here.

On CUDA the address is that of the host copy: writing marks it as the newer one and reading brings it up to date
first. On the CPU there is one copy, and the calls are left out. They are untested on a GPU.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm

_DTYPES: dict[str, np.dtype[Any]] = {"FLOAT": np.dtype(np.float32), "UBYTE": np.dtype(np.uint8)}


class NativeArray:
    """An ND4J array and a NumPy view of its memory.

    ND4J owns the memory. The view is only valid while this object lives and is not closed, so it is handed to nobody:
    values go in and out through methods that copy.

    Parameters
    ----------
    java
        A ``dl4jbridge.Tensor``.

    Raises
    ------
    BridgeError
        The array is not dense, or of a type that is not expected here: reading it by address would be wrong.
    """

    def __init__(self, java: Any) -> None:
        self.java = java
        self.shape = tuple(int(n) for n in java.shape())
        self.order = str(java.order())
        name = str(java.dataType())
        if name not in _DTYPES:
            raise BridgeError("tensor", f"data type {name}", f"wanted one of {', '.join(_DTYPES)}")
        dtype = _DTYPES[name]
        _check_strides(self.shape, self.order, tuple(int(n) for n in java.strides()))
        length, address = int(java.length()), int(java.address())
        if length != math.prod(self.shape) or address == 0 or address % dtype.itemsize:
            raise BridgeError("tensor", f"{length} elements at address {address:#x}", f"wanted {self.shape}")
        memory = (ctypes.c_uint8 * (length * dtype.itemsize)).from_address(address)
        self._flat: npt.NDArray[Any] | None = np.ctypeslib.as_array(memory).view(dtype)

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: str = "FLOAT", order: str = "f") -> NativeArray:
        """Allocate in ND4J, outside of its workspaces.

        Parameters
        ----------
        shape
            Of the array.
        dtype
            ND4J's name: ``FLOAT`` or ``UBYTE``.
        order
            ``f`` (first axis fastest) or ``c``.
        """
        with jvm.java_errors("tensor"):
            return cls(jvm.java_class("dl4jbridge.Tensor").zeros(dtype, order, list(shape)))

    def write(self, values: npt.NDArray[Any]) -> None:
        """Copy a one-dimensional array to the front of the memory."""
        flat = self._memory()
        if values.dtype != flat.dtype or values.ndim != 1 or values.size > flat.size:
            raise BridgeError(
                "tensor", f"{values.dtype} values of shape {values.shape}", f"wanted up to {flat.size} of {flat.dtype}"
            )
        flat[: values.size] = values
        self.changed()

    def read(self, rows: int | None = None) -> npt.NDArray[Any]:
        """Copy the values out, in the array's shape and order; only the first `rows` of its first axis if given."""
        if jvm.backend() == "cuda":
            self.java.toHost()
        values = self._memory().reshape(self.shape, order="F" if self.order == "f" else "C")
        return values[:rows].copy(order="K")

    def changed(self) -> None:
        """Say that the memory was written to."""
        if jvm.backend() == "cuda":
            self.java.hostChanged()

    def close(self) -> None:
        """Free the memory now instead of when Java gets to it."""
        self._flat = None
        self.java.close()

    def _memory(self) -> npt.NDArray[Any]:
        if self._flat is None:
            raise BridgeError("tensor", "closed", "wanted one that is still open")
        return self._flat


class OneHot:
    """A one-hot tensor [batch, classes, steps] in 'f' order, used for one segment after the other.

    Only the ones set last are cleared, so a segment costs batch x steps writes and not batch x classes x steps.

    Parameters
    ----------
    batch, classes, steps
        The shape; a segment may have fewer steps.
    """

    def __init__(self, batch: int, classes: int, steps: int) -> None:
        self.array = NativeArray.zeros((batch, classes, steps))
        self._classes = classes
        # Offset of class 0 of each (row, step): element (b, c, t) stands at b + batch * (c + classes * t).
        self._origin = np.arange(batch)[:, None] + batch * classes * np.arange(steps)
        self._set: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def write(self, indices: npt.NDArray[np.uint8]) -> Any:
        """Show a segment.

        Parameters
        ----------
        indices : ndarray of uint8, shape (batch, n)
            Class of each sample, n at most `steps`; the steps from n on are all zero.

        Returns
        -------
        object
            The ``dl4jbridge.Tensor``.
        """
        batch, steps = self._origin.shape
        if indices.dtype != np.uint8 or indices.ndim != 2 or indices.shape[0] != batch or indices.shape[1] > steps:
            raise BridgeError(
                "one-hot tensor",
                f"{indices.dtype} indices of shape {indices.shape}",
                f"wanted uint8 of ({batch}, up to {steps})",
            )
        # 8 bits cannot name a class beyond 255.
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
    """A tensor [batch, width, steps] in 'f' order, used for one segment after the other.

    Parameters
    ----------
    batch, width, steps
        The shape; a segment may have fewer steps.
    """

    def __init__(self, batch: int, width: int, steps: int) -> None:
        self.array = NativeArray.zeros((batch, width, steps))

    def write(self, vectors: npt.NDArray[np.float32]) -> Any:
        """Show a segment.

        Parameters
        ----------
        vectors : ndarray of float32, shape (batch, n, width)
            Vector of each time step, n at most `steps`; what the steps from n on hold is left as it was.

        Returns
        -------
        object
            The ``dl4jbridge.Tensor``.
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


def _check_strides(shape: tuple[int, ...], order: str, strides: tuple[int, ...]) -> None:
    axes = range(len(shape)) if order == "f" else range(len(shape) - 1, -1, -1)
    wanted = 1
    for axis in axes:
        # ND4J may give any stride to an axis of length 1.
        if shape[axis] != 1 and strides[axis] != wanted:
            raise BridgeError("tensor", f"strides {strides} for shape {shape}", f"wanted a dense '{order}' array")
        wanted *= shape[axis]
