"""Formats in which workers send gradients."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def encode(values: Floats, name: str) -> npt.NDArray[np.float32] | npt.NDArray[np.uint16]:
    """Convert float32 numbers to the format called `name`, ``float32`` or ``bfloat16``.

    A bfloat16 is the upper half of a float32: it has its range and 8 bits of precision. Rounds to the nearest one, and
    to the even one in the middle between two; the values must be finite.
    """
    if name == "float32":
        return values
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def decode(values: npt.NDArray[np.float32] | npt.NDArray[np.uint16]) -> Floats:
    """The numbers that `encode` converted."""
    if values.dtype == np.float32:
        return values.view(np.float32)
    return (values.astype(np.uint32) << 16).view(np.float32)
