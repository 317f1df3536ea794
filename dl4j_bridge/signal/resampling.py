"""Sample rates: resampling of whole signals and of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


def resample(x: npt.NDArray[np.floating], old: int, new: int) -> npt.NDArray[np.floating]:
    """Resample with soxr's highest quality; the linear phase adds no delay."""
    import soxr

    result: npt.NDArray[np.floating] = soxr.resample(x, old, new, quality="VHQ")
    return result


class Resampler:
    """`resample` for blocks: a block in, a block out, in all exactly `length` samples.

    Parameters
    ----------
    old, new
        Rates in Hz.
    length
        Samples to give in all; the end is cut or filled with zeros to fit.
    """

    def __init__(self, old: int, new: int, length: int) -> None:
        import soxr

        self._left = length
        self._stream = None if old == new else soxr.ResampleStream(old, new, 1, dtype="float32", quality="VHQ")

    def push(self, block: npt.NDArray[np.floating]) -> Samples:
        x = np.ascontiguousarray(block, np.float32)
        return self._take(x if self._stream is None else self._stream.resample_chunk(x))

    def finish(self) -> Samples:
        tail = np.zeros(0, np.float32)
        if self._stream is not None:
            tail = self._stream.resample_chunk(tail, last=True)
        tail = self._take(tail)
        return np.concatenate([tail, np.zeros(self._left, np.float32)])

    def _take(self, x: Samples) -> Samples:
        x = x[: self._left]
        self._left -= len(x)
        return x


def length_at(count: int, old: int, new: int) -> int:
    """Give the length of `count` samples at rate `old` once they are at rate `new`: the duration in whole samples."""
    return (count * new + old // 2) // old


def resampled(
    blocks: Iterable[npt.NDArray[np.floating]], old: int, new: int, length: int
) -> Iterator[npt.NDArray[np.floating]]:
    """Bring blocks from rate `old` to rate `new`, `length` samples in all; at one rate they pass as they are."""
    if old == new:
        yield from blocks
        return
    resampler = Resampler(old, new, length)
    for block in blocks:
        yield resampler.push(block)
    yield resampler.finish()
