"""Folders of more recordings than can be opened one by one: an index of their headers, and samples from any place."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dl4j_bridge.atomic_files import temporary_name
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.object_store import is_remote
from dl4j_bridge.signal.recordings import (
    InMemory,
    Recording,
    Samples,
    audio_endings,
    header_of,
    reason,
    recordings_of,
    sha256,
    to_mono,
)

# A folder with more recordings is not read at the start. What needs whole recordings, such as the validation, then uses
# an excerpt: files at equal distances.
MANY = 1000
EXCERPT_SECONDS = 600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Headers:
    """What the headers of recordings say; arrays with a value for each.

    Attributes
    ----------
    names
        Paths relative to the folder, sorted.
    sizes, times
        Bytes, and times of the last change in nanoseconds.
    frames, rates, channels
        0 for a file that is no recording.
    eight_bit
        Whether the samples have 8 bits.
    """

    names: npt.NDArray[np.str_]
    sizes: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    frames: npt.NDArray[np.int64]
    rates: npt.NDArray[np.int64]
    channels: npt.NDArray[np.int64]
    eight_bit: npt.NDArray[np.bool_]

    def only(self, chosen: npt.NDArray[np.bool_]) -> Headers:
        return Headers(*(values[chosen] for values in vars(self).values()))


@dataclass(frozen=True)
class Files:
    """Recordings of one rate, one after the other, as if they were one.

    Attributes
    ----------
    folder
        Where they are.
    headers
        Of these recordings.
    rate
        In Hz.
    channel
        Channel to use, counted from 1; None mixes all channels down.
    """

    folder: Path
    headers: Headers
    rate: int
    channel: int | None

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """Number of samples up to the end of each recording."""
        return np.cumsum(self.headers.frames)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def read(self, start: int, end: int) -> Samples:
        """Samples `start` to `end`; opens no more recordings than they are in.

        Raises
        ------
        BridgeError
            A recording has changed since the index was made, or holds NaN or Inf.
        """
        first = int(np.searchsorted(self.ends, start, side="right"))
        parts, at = [np.zeros(0, np.float32)], start
        while at < end:
            begin = int(self.ends[first]) - int(self.headers.frames[first])
            until = min(end, int(self.ends[first]))
            parts.append(self._read_one(str(self.headers.names[first]), at - begin, until - at))
            at, first = until, first + 1
        return np.concatenate(parts)

    def sha256(self) -> str:
        """Hash of names, sizes and lengths: reading every sample would take hours."""
        found = hashlib.sha256()
        for values in (self.headers.sizes, self.headers.frames):
            found.update(values.astype("<i8").tobytes())
        found.update("\n".join(self.headers.names.tolist()).encode("utf-8", "surrogateescape"))
        return found.hexdigest()

    def _read_one(self, name: str, start: int, count: int) -> Samples:
        path = self.folder / name
        try:
            with header_of(path) as f:
                f.seek(start)
                samples = to_mono(f.read(count, dtype="float32", always_2d=True), self.channel)
        except (soundfile.LibsndfileError, OSError) as e:
            raise BridgeError(path, f"not readable ({reason(e)})", "try again") from e
        if len(samples) < count:
            raise BridgeError(path, f"ends {count - len(samples)} frames early", "it changed since it was indexed")
        if not np.isfinite(samples).all():
            raise BridgeError(path, "holds NaN or Inf", "wanted finite samples: write the file again")
        return samples


@dataclass(frozen=True)
class FolderExcerpt(InMemory):
    """Recordings of a folder at equal distances, in memory, as one recording with the path of the folder.

    Attributes
    ----------
    rest
        The other recordings.
    """

    rest: Files

    def sha256(self) -> str:
        return self.rest.sha256()


def is_large(path: Path) -> bool:
    """Whether a path is a folder of this machine with more than `MANY` recordings; stops counting there."""
    if is_remote(path) or not path.is_dir():
        return False
    return any(number >= MANY for number, _ in enumerate(_entries(path)))


def inputs_of(paths: list[Path]) -> list[Path]:
    """Replace folders by the recordings in them, except for large ones.

    Raises
    ------
    InputError
        A folder contains no recordings.
    """
    return [file for path in paths for file in ([path] if is_large(path) else recordings_of([path]))]


def hash_of(path: Path) -> str:
    """Hash of a recording or of a large folder, as a model file stores it."""
    return open_folder(path).sha256() if is_large(path) else sha256(path)


def open_folder(folder: Path, channel: int | None = None) -> FolderExcerpt:
    """Open a folder of many recordings by their headers, which are read once and kept in an index.

    Parameters
    ----------
    folder
        The folder; recordings in its subfolders count too.
    channel
        Channel to use, counted from 1; None mixes all channels down.

    Raises
    ------
    InputError
        No recording is readable, or the excerpt is silent.
    """
    found = _indexed(folder)
    readable = found.only(found.frames > 0)
    if not len(readable.names):
        raise InputError(
            folder, "a folder without readable recordings", "wanted WAV, FLAC or another libsndfile format"
        )
    rates, counts = np.unique(readable.rates, return_counts=True)
    rate = int(rates[counts.argmax()])
    used = readable.only((readable.rates == rate) & (readable.channels >= (channel or 1)))
    notes = [f"{folder}: {len(used.names):,} recordings, read as they are needed"]
    if left_out := len(found.names) - len(used.names):
        notes.append(
            f"{folder}: {left_out:,} left out: not readable, of another rate than {rate} Hz, or without samples"
        )
    every = max(int(used.frames.sum() / (EXCERPT_SECONDS * rate)), 2)
    is_excerpt = np.arange(len(used.names)) % every == 0
    chosen, rest = (Files(folder, used.only(part), rate, channel) for part in (is_excerpt, ~is_excerpt))
    samples = chosen.read(0, len(chosen))
    subtype = "PCM_U8" if used.eight_bit.mean() > 0.5 else "PCM_16"
    like = Recording(folder, rate, len(samples), 1, subtype, None, 0, (), np.zeros(0, np.float32))
    excerpt = InMemory.of(samples, rate, like)
    if not excerpt.peak:
        raise InputError(folder, f"every {every}th recording is silent", "wanted recordings with sound in them")
    values = vars(replace(excerpt, notes=tuple(notes)))
    return FolderExcerpt(**values, rest=rest)


def _indexed(folder: Path) -> Headers:
    """The headers of all recordings of a folder: those of unchanged files from the index."""
    names, stats = [], []
    for path, stat in _entries(folder):
        names.append(os.path.relpath(path, folder))
        stats.append((stat.st_size, stat.st_mtime_ns))
    order = sorted(range(len(names)), key=names.__getitem__)
    index = _index_of(folder)
    known = _read_index(index)
    at = {} if known is None else {name: number for number, name in enumerate(known.names.tolist())}
    rows, is_new = [], known is None or len(at) != len(names)
    for number in order:
        row = at.get(names[number])
        if known is not None and row is not None and (known.sizes[row], known.times[row]) == stats[number]:
            rows.append((known.frames[row], known.rates[row], known.channels[row], known.eight_bit[row]))
        else:
            rows.append(_header(folder / names[number]))
            is_new = True
    if known is not None and not is_new:
        return known
    sorted_names = np.array([names[number] for number in order], np.str_)
    numbers = np.array(rows, np.int64).reshape(-1, 4).T
    sizes, times = np.array([stats[number] for number in order], np.int64).reshape(-1, 2).T
    frames, rates, channels, eight_bit = numbers
    found = Headers(sorted_names, sizes, times, frames, rates, channels, eight_bit.astype(bool))
    _write_index(index, found)
    return found


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Paths of the files with the ending of an audio format, and what the file system says of them."""
    endings = audio_endings()
    todo = [str(folder)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif entry.name.rpartition(".")[2].upper() in endings and entry.is_file():
                    yield entry.path, entry.stat()


def _header(path: Path) -> tuple[int, int, int, bool]:
    try:
        with header_of(path) as f:
            return f.frames, f.samplerate, f.channels, f.subtype in ("PCM_U8", "PCM_S8")
    except (soundfile.LibsndfileError, OSError):
        return 0, 0, 0, False


def _index_of(folder: Path) -> Path:
    import platformdirs

    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:24]
    return Path(platformdirs.user_cache_dir("dl4j_bridge", appauthor=False)) / "folders" / f"{name}.npz"


def _read_index(path: Path) -> Headers | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Headers(**{name: stored[name] for name in Headers.__dataclass_fields__})
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _write_index(path: Path, headers: Headers) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_name(path) as temporary, open(temporary, "wb") as f:
            np.savez(f, **vars(headers))
    except (OSError, BridgeError) as e:
        _log.info("%s: index not written (%s)", path, e)
