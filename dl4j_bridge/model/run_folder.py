"""The folder of a run: its files, its lock and its log."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dl4j_bridge import object_store
from dl4j_bridge.atomic_files import check_writable, is_temporary, write_bytes, write_json
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.object_store import RemotePath
from dl4j_bridge.settings import toml_file
from dl4j_bridge.untrusted import files, json_text

RUNS = Path("runs")
# Maximum sizes in bytes.
LARGEST_JSON = 16 << 20
LARGEST_LOG = 1 << 30
LOCK = ".lock"


class RunFolder:
    """The folder with the files of a run.

    Parameters
    ----------
    path
        Path of the folder, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Nothing can be locked in an object store, or appended to a file: the log is copied there at each save.
        here = object_store.companion(path)
        self.lock = FileLock(here / LOCK)
        self._log_here = here / "log.csv"
        self._is_saved = False
        self.model = path / "model.zip"
        self.last = path / "last.zip"
        self.run_json = path / "run.json"
        self.log = path / "log.csv"
        self.preview = path / "preview.wav"
        self.config = path / "config.toml"
        self.recordings = path / "recordings"

    @property
    def is_saved(self) -> bool:
        """Whether there is something to resume; asked after every step, so a store is asked only until there is."""
        self._is_saved = self._is_saved or self.last.exists()
        return self._is_saved

    @staticmethod
    def fresh_name(source: Path) -> Path:
        """Return a path in ``runs/`` that does not exist, named after `source`."""
        paths = (RUNS / f"{source.stem}-{number}" for number in count(1))
        return next(path for path in paths if not path.exists())

    @classmethod
    def made(cls, asked: Path | None, source: Path) -> RunFolder:
        """Make a folder and lock it for this process.

        Parameters
        ----------
        asked
            Folder to make; None selects a new one in ``runs/``.
        source
            Path after which a folder in ``runs/`` is named.

        Raises
        ------
        InputError
            If the folder cannot be made, or `check_free` fails.
        BridgeError
            If another process locked the folder first.
        """
        folder = cls(asked or cls.fresh_name(source))
        try:
            if folder.path.parent == RUNS:
                RUNS.mkdir(exist_ok=True)
            folder.path.mkdir(exist_ok=asked is not None)
        except OSError as e:
            # Another process made a folder with the new name at the same time.
            if asked is None and folder.path.exists():
                return cls.made(None, source)
            raise InputError(
                folder.path, f"cannot be made ({e.strerror})", "wanted a folder that you may write to"
            ) from e
        folder.acquire()
        folder.check_free()
        folder.log.unlink(missing_ok=True)
        return folder

    def check_free(self) -> None:
        """Check that the folder contains no run and no other files, and can be made.

        Raises
        ------
        InputError
            If it does or cannot; nothing is written.
        """
        if self.last.exists():
            raise InputError(self.path, "holds a run already", "use --resume to continue it, or another --out")
        if self.path.is_dir():
            # What a run leaves that was killed before its first save.
            ours = (LOCK, self.run_json.name, self.config.name, self.recordings.name, self.log.name)
            if any(file.name not in ours and not is_temporary(file) for file in self.path.iterdir()):
                raise InputError(self.path, "a folder with other files in it", "wanted a new or an empty folder")
            check_writable(self.run_json)
        elif self.path.parent != RUNS:
            check_writable(self.path)

    def acquire(self) -> None:
        """Lock the folder against training by other processes, until `lock` is released or this process ends.

        Raises
        ------
        BridgeError
            If another process has locked it.
        """
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise BridgeError(
                self.path, "another process trains in it", "wait for that, or use another --out"
            ) from None

    @contextmanager
    def released_on_error(self) -> Iterator[None]:
        """Release the lock if the body raises an error."""
        try:
            yield
        except BaseException:
            self.lock.release()
            raise

    def begin(self, about: dict[str, Any], options: dict[str, Any]) -> None:
        """Write ``run.json``, and the options of this run to ``config.toml``, for ``train --config``."""
        self.write_run(about | {"status": "running"})
        toml_file.write(self.config, options)

    def write_run(self, content: dict[str, Any]) -> None:
        write_json(self.run_json, content)

    def write_status(self, status: str) -> None:
        """Change the status in ``run.json``; errors of reading and writing are ignored."""
        with suppress(BridgeError):
            self.write_run(self.read_run() | {"status": status})

    def read_run(self) -> dict[str, Any]:
        content = files.read(self.run_json, LARGEST_JSON, "wanted the folder of a run")
        try:
            return dict(json_text.parse(content))
        except (ValueError, TypeError) as e:
            raise InputError(self.run_json, f"not readable ({e})", "wanted the folder of a run") from None

    def log_rows(self, training: tuple[str, ...], validation: tuple[str, ...]) -> Callable[[dict[str, Any]], None]:
        """Begin or continue ``log.csv``, with columns for the given training and validation metrics.

        Returns
        -------
        callable
            Writes a row, which is on the disk at once; the cell of a missing value or None is empty.
        """
        fields = ("step", "epochs", "seconds", *training, "samples_per_second", "learning_rate")
        fields += tuple(f"valid_{name}" for name in validation)

        def write(cells: Iterable[str]) -> None:
            try:
                with open(self._log_here, "a", newline="", encoding="utf-8") as f:
                    f.write(",".join(cells) + "\n")
            except OSError as e:
                raise BridgeError(self.log, f"not written ({e.strerror})", "free some space, then --resume") from e

        if object_store.is_remote(self.path):
            self._log_here.write_bytes(self.log.read_bytes() if self.log.exists() else b"")
        if not self._log_here.exists() or not self._log_here.stat().st_size:
            write(fields)
        return lambda values: write("" if values.get(n) is None else f"{values[n]:.7g}" for n in fields)

    def save_log(self) -> None:
        """Copy the log to where the run is, if that is an object store."""
        if isinstance(self.log, RemotePath):
            object_store.upload(self._log_here, self.log)

    def cut_log(self, step: int) -> None:
        """Delete the rows after `step`, which a killed run logged but did not save."""
        rows = [row for row in self.read_log() if int(row["step"]) <= step]
        if rows:
            lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
            write_bytes(self.log, ("\n".join(lines) + "\n").encode())
        else:
            self.log.unlink(missing_ok=True)

    def read_log(self) -> list[dict[str, str]]:
        """Return the rows of the log, without a last line that is incomplete because the run was killed.

        Raises
        ------
        InputError
            If it is no table of numbers by step.
        """
        if not self.log.exists():
            return []
        content = files.read(self.log, LARGEST_LOG, "wanted the log of a run")
        try:
            reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
            if "step" not in (reader.fieldnames or ["step"]):
                raise ValueError("no column step")
            rows = list(reader)
            complete = [row for row in rows if None not in row.values() and None not in row]
            steps = [int(row["step"]) for row in complete]
            if len(complete) + 1 < len(rows) or any(b <= a for a, b in itertools.pairwise(steps)):
                raise ValueError("lines that are incomplete or not in the order of their steps")
            for row in complete:
                for value in row.values():
                    float(value or 0)
        except (ValueError, KeyError, csv.Error) as e:
            raise InputError(
                self.log, f"not a log ({e})", "delete it: the networks of the run do not need it"
            ) from None
        return complete
