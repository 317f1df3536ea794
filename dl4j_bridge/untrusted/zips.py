"""Reads the entries of a zip that has only one reading.

A zip lists its entries twice: in the central directory at its end, which Python reads, and in local headers before the
entries, which Java's ``ZipInputStream`` reads. `check_layout` refuses a zip in which the two differ, or which contains
any byte that belongs to neither.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_END_RECORD = struct.Struct("<4sHHHHIIH")
_END_SIGNATURE = b"PK\x05\x06"
# Flags of an entry: encrypted; its size follows its data.
_ENCRYPTED, _HAS_DESCRIPTOR = 1, 8
# What `zipfile` raises for a damaged zip.
_DAMAGE = (
    zipfile.BadZipFile,
    struct.error,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    OSError,
    RuntimeError,
    UnicodeDecodeError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read(content: bytes, largest_of: Callable[[str], int | None], total: int) -> dict[str, bytes]:
    """Unpack all entries of the central directory.

    Parameters
    ----------
    content
        The whole zip.
    largest_of
        Returns the maximum unpacked size of an entry in bytes, or None if an entry of that name is not permitted.
    total
        Maximum unpacked size of all entries together.

    Returns
    -------
    dict
        Content by name of entry; their checksums are right.

    Raises
    ------
    ValueError
        If it is not a zip, is damaged, or has an entry that is not permitted, too large, there twice or encrypted.
    """
    with _opened(content) as z:
        _check_entries(z.infolist(), largest_of, total)
        return {info.filename: _unpacked(z, info) for info in z.infolist()}


def names(content: bytes) -> list[str]:
    """Return the names of the entries in the central directory; none if there is none or it is damaged."""
    try:
        with _opened(content) as z:
            return z.namelist()
    except ValueError:
        return []


def check_layout(content: bytes) -> None:
    """Check that local headers, central directory and end record agree and leave no byte between them.

    Raises
    ------
    ValueError
        If an entry is hidden from the central directory, or any byte belongs to no entry.
    """
    with _opened(content) as z:
        at = 0
        for info in sorted(z.infolist(), key=lambda info: info.header_offset):
            _check_no_gap(content, at, info.header_offset)
            at = _end_of(content, info)
        _check_no_gap(content, at, z.start_dir)
        record_at, count = len(content) - _END_RECORD.size, len(z.infolist())
        wanted = (_END_SIGNATURE, 0, 0, count, count, record_at - at, at, 0)
        if _END_RECORD.unpack_from(content, record_at) != wanted:
            raise ValueError("bytes after its central directory")


@contextmanager
def _opened(content: bytes) -> Iterator[zipfile.ZipFile]:
    """Open a zip in memory; damage that the body meets is a ValueError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as z:
            yield z
    except _DAMAGE as e:
        raise ValueError(f"damaged ({e})") from None


def _check_entries(entries: list[zipfile.ZipInfo], largest_of: Callable[[str], int | None], total: int) -> None:
    known = set()
    for info in entries:
        name = info.orig_filename
        largest = largest_of(name)
        if largest is None or info.filename != name:
            raise ValueError(f"unknown entry {name[:80]!r}")
        if name in known:
            raise ValueError(f"entry {name} is there twice")
        known.add(name)
        if info.file_size > largest:
            raise ValueError(f"entry {name} unpacks to more than {largest / (1 << 20):.4g} MiB")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise ValueError(f"entry {name} is encrypted or compressed in an unusual way")
    if sum(info.file_size for info in entries) > total:
        raise ValueError(f"its entries unpack to more than {total / (1 << 20):.4g} MiB")


def _check_no_gap(content: bytes, end: int, start: int) -> None:
    if start < end:
        raise ValueError("entries that overlap")
    if start > end:
        hidden = _local_name(content, end)
        raise ValueError(f"hidden entry {hidden[:80]!r}" if hidden else f"{start - end} bytes that belong to no entry")


def _local_name(content: bytes, at: int) -> str | None:
    """Return the name in the local header at `at`, or None if there is no header."""
    if content[at : at + 4] != _LOCAL_SIGNATURE:
        return None
    start = at + _LOCAL_HEADER.size
    return content[start : start + _LOCAL_HEADER.unpack_from(content, at)[9]].decode("utf-8", "replace")


def _end_of(content: bytes, info: zipfile.ZipInfo) -> int:
    """Check the local header of an entry against the central directory; return where the entry ends."""
    name, at = info.filename, info.header_offset
    if _local_name(content, at) != name:
        raise ValueError(f"entry {name} has another name in its local header")
    _, _, flags, method, _, _, *sizes, name_size, extra_size = _LOCAL_HEADER.unpack_from(content, at)
    end: int = at + _LOCAL_HEADER.size + name_size + extra_size + info.compress_size
    if flags & _HAS_DESCRIPTOR:
        size = _descriptor_size(content, end, info)
    else:
        size = 0 if sizes == [info.CRC, info.compress_size, info.file_size] else None
    if size is None or (flags, method) != (info.flag_bits, info.compress_type):
        raise ValueError(f"entry {name} has another size or flags in its local header")
    return end + size


def _descriptor_size(content: bytes, at: int, info: zipfile.ZipInfo) -> int | None:
    """Return the size of the data descriptor at `at`, or None if it does not fit the entry."""
    sizes = (info.CRC, info.compress_size, info.file_size)
    for layout in ("<III", "<IQQ"):
        for signature in (b"PK\x07\x08", b""):
            wanted = signature + struct.pack(layout, *sizes)
            if content[at : at + len(wanted)] == wanted:
                return len(wanted)
    return None


def _unpacked(z: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with z.open(info) as f:
        # Without a number of bytes, `zipfile` would decompress all that is there before it looks at the size.
        return f.read(info.file_size + 1)
