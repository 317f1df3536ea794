"""Packs arrays as NPZ, and unpacks them without believing a header: its shape must fit the bytes that are there."""

from __future__ import annotations

import io
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from dl4j_bridge.untrusted import zips

Arrays = dict[str, npt.NDArray[Any]]


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the content of an NPZ file with these arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(content: bytes) -> Arrays:
    """Unpack what `pack` returned.

    Raises
    ------
    ValueError
        If it is not an NPZ file of numbers, is damaged, or holds NaN or Inf.
    """
    # `pack` does not compress, so the arrays cannot be larger than the file.
    entries = zips.read(content, lambda name: len(content), len(content))
    return {name.removesuffix(".npy"): _array(name, entry) for name, entry in entries.items()}


def _array(name: str, content: bytes) -> npt.NDArray[Any]:
    stream = io.BytesIO(content)
    try:
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(stream)]
        shape, fortran_order, dtype = read_header(stream)
    except (ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError) as e:
        raise ValueError(f"array {name[:80]!r} has a bad header ({str(e)[:80]})") from None
    values = content[stream.tell() :]
    if dtype.kind not in "biuf" or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != len(values):
        raise ValueError(f"array {name[:80]!r} has a header of shape {str(shape)[:40]} that its bytes do not fit")
    found = np.frombuffer(values, dtype).reshape(shape, order="F" if fortran_order else "C")
    if not np.isfinite(found).all():
        raise ValueError(f"array {name[:80]!r} holds NaN or Inf")
    return found.copy(order="K")
