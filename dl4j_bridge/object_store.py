"""Files in object stores (``s3://``, ``gs://``), through fsspec: paths that name them, local copies, uploads."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, Self
from uuid import uuid4

from dl4j_bridge.errors import BridgeError, InputError

if sys.platform == "win32":
    _LocalPath = WindowsPath
else:
    _LocalPath = PosixPath

# They log each attempt with a traceback; the error that a user sees is the last one.
for _name in ("gcsfs", "s3fs"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
# One letter would be a drive. A path drops the second slash.
_ADDRESS = re.compile(r"([a-z][a-z0-9]+:)[/\\]{1,2}[^/\\]")


class RemotePath(_LocalPath):
    """The address of a file or a folder in an object store, as a path: ``name``, ``suffix``, ``parent`` and ``/``.

    What asks the store is overridden; all other methods that would touch the disk find nothing there.
    """

    def __str__(self) -> str:
        first, *names = self.parts or (".",)
        return "/".join((f"{first}/" if first.endswith(":") else first, *names))

    def absolute(self) -> Self:
        return self

    def exists(self, **_: Any) -> bool:
        with _one_line(self) as store:
            return bool(store.exists(str(self)))

    def is_file(self, **_: Any) -> bool:
        with _one_line(self) as store:
            return bool(store.isfile(str(self)))

    def is_dir(self, **_: Any) -> bool:
        with _one_line(self) as store:
            return bool(store.isdir(str(self)))

    def glob(self, pattern: str) -> Generator[Self, None, None]:
        with _one_line(self) as store:
            found = store.glob(f"{self}/{pattern}")
        yield from (type(self)(store.unstrip_protocol(name)) for name in found)

    def rglob(self, pattern: str) -> Generator[Self, None, None]:
        """Files only."""
        with _one_line(self) as store:
            found = store.glob(f"{self}/**/{pattern}", detail=True)
        yield from (type(self)(store.unstrip_protocol(name)) for name in found if found[name]["type"] == "file")

    def iterdir(self) -> Generator[Self, None, None]:
        return self.glob("*")

    def read_bytes(self) -> bytes:
        with _one_line(self) as store:
            return bytes(store.cat_file(str(self)))

    def unlink(self, missing_ok: bool = False) -> None:
        with _one_line(self) as store:
            if not missing_ok or store.exists(str(self)):
                store.rm_file(str(self))

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Do nothing: a store has folders as soon as there are files in them."""


def as_path(text: str | os.PathLike[str]) -> Path:
    """The path that a user or a file names: a `RemotePath` for an address such as ``s3://bucket/dry.wav``."""
    path = Path(text)
    is_address = _ADDRESS.match(os.fspath(text)) and not Path(path.parts[0]).exists()
    return RemotePath(path) if is_address else path


def is_remote(path: Path) -> bool:
    return isinstance(path, RemotePath)


def local(path: Path) -> Path:
    """The file to open for a path: itself, or of an object store a copy in the user's cache folder.

    A process fetches a file once. Another one uses its copy unless the file has changed.

    Raises
    ------
    InputError
        There is no such file, or a package to reach it is not installed.
    BridgeError
        The store cannot be reached, or refuses access.
    """
    return _fetched(path) if isinstance(path, RemotePath) else path


@functools.cache
def _fetched(path: RemotePath) -> Path:
    with _one_line(path) as store:
        version = f"{path} {store.ukey(str(path))}"
        name = f"{hashlib.sha256(version.encode()).hexdigest()[:24]}{path.suffix}"
        copy = _cache() / "recordings" / name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Many processes may want it at the same time.
            part = copy.with_name(f"{uuid4().hex}.part")
            try:
                store.get_file(str(path), str(part))
                part.replace(copy)
            finally:
                part.unlink(missing_ok=True)
    return copy


def read(path: RemotePath, largest: int) -> bytes:
    """The first `largest` bytes of a file as it is now; raises what `local` does."""
    with _one_line(path) as store:
        end = largest if store.size(str(path)) > largest else None
        return bytes(store.cat_file(str(path), end=end))


def upload(file: Path, path: RemotePath) -> None:
    """Write a file into a store, whole or not at all; raises what `local` does."""
    with _one_line(path) as store:
        store.put_file(str(file), str(path))
    _fetched.cache_clear()


def check(path: RemotePath) -> None:
    """Check that the bucket of a path is there; raises what `local` does."""
    bucket = RemotePath(*path.parts[:2])
    # Who may write need not be allowed to list what is there.
    with _one_line(path) as store, suppress(PermissionError):
        if not store.exists(str(bucket)):
            raise InputError(path, f"no bucket {bucket}", "wanted one that is there")


def working_folder(path: Path) -> Path:
    """Where a file is written before it is complete: its folder, or the one for temporary files."""
    return Path(tempfile.gettempdir()) if is_remote(path) else path.absolute().parent


def companion(folder: Path) -> Path:
    """The folder on this machine for what cannot be in a store: the folder itself, or one in the user's cache."""
    if not is_remote(folder):
        return folder
    here = _cache() / "runs" / hashlib.sha256(str(folder).encode()).hexdigest()[:24]
    here.mkdir(parents=True, exist_ok=True)
    return here


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("dl4j_bridge", appauthor=False))


@contextmanager
def _one_line(path: RemotePath) -> Iterator[Any]:
    """The store of a path; its errors become one line."""
    extra = "run: pip install 'dl4j_bridge[remote]'"
    try:
        import fsspec
    except ImportError:
        raise InputError(path, "needs fsspec, which is not installed", extra) from None
    kind = path.parts[0].removesuffix(":")
    if kind not in fsspec.available_protocols():
        raise InputError(path, f"an address of an unknown kind, {kind}", "wanted one such as s3://bucket/dry.wav")
    if os.environ.get("DL4J_BRIDGE_OFFLINE", "0") not in ("", "0"):
        raise InputError(path, "in an object store, with --offline", "wanted a file of this machine")
    try:
        # Other processes write there, too: without its own lists of files.
        yield fsspec.filesystem(kind, use_listings_cache=False)
    except ImportError as e:
        raise InputError(path, f"needs a package that is not installed ({e})", extra) from None
    except BridgeError:
        raise
    except FileNotFoundError:
        raise InputError(path, "no such file", "check the bucket and the name") from None
    except Exception as e:
        # Of no narrower class: each store has its own for missing credentials, a wrong address or a lost connection.
        found = " ".join(f"{type(e).__name__}: {e}".split())[:200]
        raise BridgeError(path, f"not reached ({found})", "check the address, the network and the credentials") from e
