"""Read WAV and AIFF files in which a chunk of odd length has no byte of padding after it.

The formats ask for that byte, some programs leave it out, and libsndfile then misses all chunks that follow.
"""

from __future__ import annotations

import io
import re
import struct
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# The chunk that holds the samples ends the search.
_SAMPLES = {b"data", b"SSND"}
_BYTE_ORDER = {b"RIFF": "<", b"RIFX": ">", b"FORM": ">"}


def missing_padding(path: Path) -> list[int]:
    """Offsets in the file at which a byte of padding is missing before the samples."""
    missing = []
    with open(path, "rb") as f:
        order = _BYTE_ORDER.get(f.read(4))
        f.seek(12)
        while order and len(head := f.read(8)) == 8 and head[:4] not in _SAMPLES:
            (size,) = struct.unpack(f"{order}I", head[4:])
            f.seek(size, io.SEEK_CUR)
            if size % 2:
                end = f.tell()
                # Padding is zero, and the name of a chunk is not.
                unpadded = re.fullmatch(rb"[A-Za-z0-9]{2,4} {0,2}", f.read(4)) is not None
                missing += [end] if unpadded else []
                f.seek(end + (not unpadded))
    return missing


def padded(path: Path, missing: list[int]) -> io.BufferedReader:
    """Open a file with a zero byte inserted at each offset of `missing_padding`."""
    return io.BufferedReader(_Padded(path, missing), 1 << 16)


class _Padded(io.RawIOBase):
    def __init__(self, path: Path, missing: list[int]) -> None:
        # Unbuffered: the reader around this one has the buffer.
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        # Where the inserted bytes are in what is read here.
        self._inserted = [offset + number for number, offset in enumerate(missing)]
        self._at = 0
        self._size = path.stat().st_size + len(missing)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        before = bisect_left(self._inserted, self._at)
        following = self._inserted[before] if before < len(self._inserted) else self._size
        if following == self._at < self._size:
            target[:1] = b"\0"
            count = 1
        else:
            self._file.seek(self._at - before)
            count = self._file.readinto(target[: following - self._at]) or 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
