"""Resampling of whole signals and of blocks."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt
import soxr


def resample(x: npt.NDArray[np.floating], old: int, new: int) -> npt.NDArray[np.floating]:
    """Resample a whole signal from rate `old` to rate `new`, in Hz.

    Uses the highest quality of soxr, whose linear-phase filter adds no delay.
    """
    result: npt.NDArray[np.floating] = soxr.resample(x, old, new, quality="VHQ")
    return result


def length_at(count: int, old: int, new: int) -> int:
    """Length of `count` samples after resampling from rate `old` to rate `new`, rounded to whole samples."""
    return (count * new + old // 2) // old


def resampled(
    blocks: Iterable[npt.NDArray[np.floating]], old: int, new: int, length: int
) -> Iterator[npt.NDArray[np.floating]]:
    """Resample a signal that arrives in blocks, as `resample` does.

    Parameters
    ----------
    blocks
        Arrays of shape (n,). If both rates are equal, they are yielded unchanged.
    old, new
        Sample rates in Hz.
    length
        Number of samples to yield in total; the end is cut or padded with zeros to that length.
    """
    if old == new:
        yield from blocks
        return
    stream = soxr.ResampleStream(old, new, 1, dtype="float32", quality="VHQ")
    # The block of None marks the end.
    for block in chain(blocks, [None]):
        x = np.zeros(0) if block is None else block
        y = stream.resample_chunk(np.ascontiguousarray(x, np.float32), last=block is None)[:length]
        length -= len(y)
        yield y
    yield np.zeros(length, np.float32)
