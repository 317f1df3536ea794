"""Files that are written atomically: complete or not at all."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from dl4j_bridge.errors import BridgeError, InputError


class TemporaryName:
    """Context manager with a temporary file in the folder of `path`: renamed to `path` on success, removed on an error.

    The file is flushed to the disk before it is renamed, so neither a reader nor a power failure finds a partial file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        handle, name = tempfile.mkstemp(prefix=".", suffix=self._path.suffix, dir=self._path.parent)
        os.close(handle)
        self._temporary = Path(name)
        return self._temporary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with open(self._temporary, "rb+") as f:
                    os.fsync(f.fileno())
                os.chmod(self._temporary, 0o666 & ~_umask())
                os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises
    ------
    BridgeError
        If writing failed, for example on a full disk; an existing file at `path` is unchanged.
    """
    try:
        with TemporaryName(path) as temporary:
            temporary.write_bytes(content)
    except OSError as e:
        raise BridgeError(path, f"not written ({e.strerror or e})", "free some space or name another place") from e


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
        with tempfile.TemporaryFile(dir=folder):
            pass
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
