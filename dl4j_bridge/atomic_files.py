"""Files that are written atomically: complete or not at all."""

import json
import os
import platform
import re
import shlex
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from dl4j_bridge import object_store
from dl4j_bridge.errors import BridgeError, InputError

# Temporary files are called .dl4j_bridge-HOST-PID-RANDOM.SUFFIX.
_PREFIX = ".dl4j_bridge-"


@contextmanager
def temporary_name(path: Path) -> Iterator[Path]:
    """A file to write in the folder of `path`: renamed to `path` on success, removed on an error.

    The file is flushed to the disk before it is renamed, so neither a reader nor a power failure finds a partial file.
    A link at `path` is followed. What killed processes left in the folder is removed first. A file for an object store
    is written into the folder for temporary files, and uploaded in place of being renamed.

    Raises
    ------
    BridgeError
        If writing failed, for example on a full disk; an existing file at `path` is unchanged.
    """
    target = path if object_store.is_remote(path) else Path(os.path.realpath(path))
    folder = object_store.working_folder(target)
    remove_abandoned(folder)
    temporary = folder / f"{_PREFIX}{_host()}-{os.getpid()}-{uuid4().hex[:8]}{path.suffix}"
    try:
        yield temporary
        if isinstance(target, object_store.RemotePath):
            object_store.upload(temporary, target)
        else:
            with open(temporary, "rb+") as f:
                os.fsync(f.fileno())
            os.replace(temporary, target)
    except OSError as e:
        raise BridgeError(path, f"not written ({e.strerror or e})", "free some space or name another place") from e
    finally:
        temporary.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes of this machine that have ended."""
    for file in folder.glob(f"{_PREFIX}{_host()}-*"):
        pid = file.name.removeprefix(f"{_PREFIX}{_host()}-").partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            with suppress(OSError):
                file.unlink()


def is_temporary(path: Path) -> bool:
    """True for a file that `temporary_name` made."""
    return path.name.startswith(_PREFIX)


def _host() -> str:
    return re.sub(r"[^\w.]", "_", platform.node())


def _is_running(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, as `temporary_name` does."""
    with temporary_name(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def check_writable(path: Path) -> None:
    """Check, before any work is done, that the file `path` can be written.

    Raises
    ------
    InputError
        If `path` is a folder, its folder does not exist, or the permission is missing.
    """
    if isinstance(path, object_store.RemotePath):
        object_store.check(path)
        return
    folder = path.absolute().parent
    if path.is_dir():
        raise InputError(path, "a folder", "wanted the name of a file")
    if not folder.is_dir():
        raise InputError(path, f"no folder {folder}", f"make it: mkdir -p {shlex.quote(str(folder))}")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as e:
        raise InputError(path, f"not writable ({e.strerror})", "wanted a folder that you may write to") from None
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(path, "not writable (Permission denied)", "wanted a file that you may write to")


def check_output(path: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Check, before any work is done, that an output file can be written and replaces nothing unasked.

    Parameters
    ----------
    path
        File to write.
    overwrite
        Whether an existing file may be replaced.
    inputs
        Files that the command reads, which are never replaced.

    Raises
    ------
    InputError
        If the file exists and `overwrite` is False, is one of the inputs (also through links), is no regular file, or
        `check_writable` fails.
    """
    if str(path) == "-":
        raise InputError("-", "standard output", "wanted the name of a file")
    check_writable(path)
    if not path.exists():
        return
    if not object_store.is_remote(path) and not stat.S_ISREG(path.stat().st_mode):
        raise InputError(path, "a FIFO, a device or a socket", "wanted the name of a file")
    for source in inputs:
        if _is_same(path, source):
            raise InputError(path, f"the same file as the input {source}", "wanted another name for the output")
    if not overwrite:
        raise InputError(path, "exists already", "add --overwrite to replace it, or name another file")


def _is_same(path: Path, source: Path) -> bool:
    if object_store.is_remote(path) or object_store.is_remote(source):
        return path == source
    return source.exists() and os.path.samefile(path, source)


def check_folder(path: Path) -> None:
    """Check, before any work is done, that files can be written into the folder `path`, which need not exist yet.

    Raises
    ------
    InputError
        If `path` is a file, or the folder cannot be made or written to.
    """
    if path.exists() and not path.is_dir():
        raise InputError(path, "not a folder", "wanted a folder, there or to be made")
    if not path.exists():
        check_writable(path)
    elif not object_store.is_remote(path) and not os.access(path, os.W_OK | os.X_OK):
        raise InputError(path, "not writable (Permission denied)", "wanted a folder that you may write to")
