"""Files that are written atomically: complete or not at all."""

import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from dl4j_bridge.errors import BridgeError, InputError


@contextmanager
def temporary_name(path: Path) -> Iterator[Path]:
    """A file to write in the folder of `path`: renamed to `path` on success, removed on an error.

    The file is flushed to the disk before it is renamed, so neither a reader nor a power failure finds a partial file.

    Raises
    ------
    BridgeError
        If writing failed, for example on a full disk; an existing file at `path` is unchanged.
    """
    temporary = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as e:
        raise BridgeError(path, f"not written ({e.strerror or e})", "free some space or name another place") from e
    finally:
        temporary.unlink(missing_ok=True)


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
    elif not os.access(path, os.W_OK | os.X_OK):
        raise InputError(path, "not writable (Permission denied)", "wanted a folder that you may write to")
