"""Reads whole files of a limited size. FIFOs, devices and sockets are refused, since reading one may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dl4j_bridge.errors import InputError
from dl4j_bridge.object_store import RemotePath
from dl4j_bridge.object_store import read as read_remote


def read(path: Path, largest: int, wanted: str) -> bytes:
    """Read a whole file.

    Parameters
    ----------
    path
        The file; a link is followed.
    largest
        Maximum size in bytes.
    wanted
        End of the error, such as ``"wanted a TOML file of options"``.

    Raises
    ------
    InputError
        If the file is missing, no regular file, larger than `largest`, or not readable.
    """
    content = read_remote(path, largest + 1) if isinstance(path, RemotePath) else _read(path, largest + 1, wanted)
    if len(content) > largest:
        raise InputError(path, f"larger than {largest >> 20} MiB", wanted)
    return content


def _read(path: Path, largest: int, wanted: str) -> bytes:
    check_regular(path, wanted)
    try:
        with open(path, "rb") as f:
            return f.read(largest)
    except OSError as e:
        raise InputError(path, f"not readable ({e.strerror or e})", wanted) from None


def check_regular(path: Path, wanted: str) -> None:
    """Check that a file exists and is a regular file, without opening it.

    Raises
    ------
    InputError
        If it is missing, a folder, a FIFO, a device or a socket, or its folder is not readable.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise InputError(path, "no such file", wanted) from None
    except (OSError, ValueError) as e:  # ValueError: a NUL character in the name
        raise InputError(str(path), f"not readable ({getattr(e, 'strerror', None) or e})", wanted) from None
    if not stat.S_ISREG(mode):
        raise InputError(path, f"{_kind(mode)}, not a file", wanted)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO (named pipe)", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
