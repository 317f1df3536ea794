"""The folder of a run: its files, its lock, its log."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from dl4j_bridge.atomic_files import check_writable, write_bytes, write_json
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.settings import toml_file

RUNS = Path("runs")
LOCK = ".lock"


class RunFolder:
    """Where a run keeps its files.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self.path = path
        self._lock = FileLock(path / LOCK)
        self.model = path / "model.zip"
        self.last = path / "last.zip"
        self.run_json = path / "run.json"
        self.log = path / "log.csv"
        self.config = path / "config.toml"
        self.recordings = path / "recordings"

    @staticmethod
    def fresh_name(source: Path) -> Path:
        """A name below ``runs/`` that is not taken."""
        number = 1
        while (path := RUNS / f"{source.stem}-{number}").exists():
            number += 1
        return path

    @classmethod
    def made(cls, asked: Path | None, source: Path) -> RunFolder:
        """Make and take the folder that was asked for, or one below ``runs/`` named after `source`."""
        if asked is None:
            return cls._fresh(source)
        folder = cls(asked)
        folder.create()
        return folder

    @classmethod
    def _fresh(cls, source: Path) -> RunFolder:
        """Make a folder below ``runs/`` that was not there, and take it: two processes at once get two.

        Raises
        ------
        InputError
            It cannot be made.
        """
        folder = cls(cls.fresh_name(source))
        try:
            RUNS.mkdir(exist_ok=True)
            folder.path.mkdir()
        except FileExistsError:
            return cls._fresh(source)
        except OSError as e:
            raise _not_made(folder.path, e) from e
        folder.acquire()
        return folder

    def check_free(self) -> None:
        """Refuse a folder that holds a run already, or that cannot be made.

        Raises
        ------
        InputError
            Nothing was written.
        """
        if self.last.exists():
            raise InputError(self.path, "holds a run already", "use --resume to go on with it, or another --out")
        if self.path.is_dir():
            ours = (LOCK, self.run_json.name, self.config.name, self.recordings.name)
            if any(file.name not in ours for file in self.path.iterdir()):
                raise InputError(self.path, "a folder with other files in it", "wanted a new or an empty folder")
            check_writable(self.run_json)
        elif self.path.parent != RUNS:
            check_writable(self.path)

    def create(self) -> None:
        """Make the folder and take it for this process.

        Raises
        ------
        InputError
            It cannot be made.
        BridgeError
            Another process was quicker.
        """
        try:
            if self.path.parent == RUNS:
                RUNS.mkdir(exist_ok=True)
            self.path.mkdir(exist_ok=True)
        except OSError as e:
            raise _not_made(self.path, e) from e
        self.acquire()
        self.check_free()

    def check_run(self) -> None:
        """Refuse what is not a run to go on with."""
        if not self.last.exists():
            raise InputError(self.path, "no last.zip to resume from", "wanted the folder of a run")

    def acquire(self) -> None:
        """Keep every other process from training in this folder, until `release` or the end of this process.

        Raises
        ------
        BridgeError
            Another one does.
        """
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise BridgeError(
                self.path, "another process trains in it", "wait for that, or use another --out"
            ) from None

    def release(self) -> None:
        self._lock.release()

    @contextmanager
    def released_on_error(self) -> Iterator[None]:
        """Let other processes train in this folder if what follows fails."""
        try:
            yield
        except BaseException:
            self.release()
            raise

    def write_config(self, options: dict[str, Any]) -> None:
        """Write the options that make this run again, for ``train --config``."""
        toml_file.write(self.config, options)

    def write_run(self, content: dict[str, Any]) -> None:
        write_json(self.run_json, content)

    def write_status(self, status: str) -> None:
        """Change the status in ``run.json``, as far as the file can be read and written."""
        with suppress(BridgeError):
            self.write_run(self.read_run() | {"status": status})

    def read_run(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.run_json.read_text()))
        except (OSError, ValueError) as e:
            raise InputError(self.run_json, f"not readable ({e})", "wanted the folder of a run") from e

    @contextmanager
    def open_log(self, training: tuple[str, ...], validation: tuple[str, ...]) -> Iterator[Log]:
        """Open ``log.csv``, with columns for these metrics of a step and of a validation."""
        fields = ("step", "epochs", "seconds", *training, "samples_per_second", "learning_rate")
        new = not self.log.exists()
        with open(self.log, "a", newline="", encoding="utf-8") as f:
            log = Log(f, (*fields, *(f"valid_{name}" for name in validation)))
            if new:
                log.head()
            yield log

    def cut_log(self, step: int) -> None:
        """Forget the rows behind `step`: a killed run may have logged more than it saved."""
        rows = [row for row in self.read_log() if int(row["step"]) <= step]
        if rows:
            lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
            write_bytes(self.log, ("\n".join(lines) + "\n").encode())
        else:
            self.log.unlink(missing_ok=True)

    def read_log(self) -> list[dict[str, str]]:
        """Rows of the log; a last line that was cut off by a kill is left out."""
        if not self.log.exists():
            return []
        with open(self.log, newline="", encoding="utf-8") as f:
            return [row for row in csv.DictReader(f) if None not in row.values() and None not in row]


class Log:
    """A row a step, on disk at once."""

    def __init__(self, file: TextIO, fields: tuple[str, ...]) -> None:
        self._file = file
        self._fields = fields
        self._writer = csv.writer(file, lineterminator="\n")

    def head(self) -> None:
        self._write(self._fields)

    def append(self, values: dict[str, Any]) -> None:
        """Write a row; a value that is missing or None is left empty."""
        self._write(["" if values.get(name) is None else f"{values[name]:.7g}" for name in self._fields])

    def _write(self, row: Iterable[object]) -> None:
        try:
            self._writer.writerow(row)
            self._file.flush()
        except OSError as e:
            raise BridgeError(self._file.name, f"not written ({e.strerror})", "free some space, then --resume") from e


def _not_made(path: Path, e: OSError) -> InputError:
    return InputError(path, f"cannot be made ({e.strerror})", "wanted a folder that you may write to")
