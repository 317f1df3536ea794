"""Recordings on disk to float samples. Everything is read in blocks, so a recording may have any length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.signal.resampling import length_at, resampled

if TYPE_CHECKING:
    import soundfile

Samples = npt.NDArray[np.float32]

BLOCK = 1 << 16
# What a damaged file gives up at once, so that all before the damage can be used.
SMALL_BLOCK = 1 << 12
# About -80 dB: below this a recording holds nothing that 8 bits could show.
SILENT_PEAK = 1e-4


@dataclass(frozen=True)
class Recording:
    """A recording on disk, as its header and one pass over it show it.

    Attributes
    ----------
    path
        The file.
    rate
        In Hz, of the file.
    frames
        Samples a channel that are really there.
    channels
        Channels in the file.
    subtype
        libsndfile's name of the sample format, such as ``PCM_U8``.
    channel
        The channel to take, from 1; None mixes all down.
    loudest
        First frame of the loudest `BLOCK`.
    notes
        What the user should know: mixed down, truncated.
    """

    path: Path
    rate: int
    frames: int
    channels: int
    subtype: str
    channel: int | None
    loudest: int
    notes: tuple[str, ...]

    @property
    def is_8_bit(self) -> bool:
        return self.subtype in ("PCM_U8", "PCM_S8")

    def length_at(self, rate: int) -> int:
        """Samples that `blocks` gives at `rate`: the duration rounded to whole samples."""
        return length_at(self.frames, self.rate, rate)

    def blocks(self, rate: int, size: int = BLOCK) -> Iterator[Samples]:
        """Read the recording from its start.

        Parameters
        ----------
        rate
            Rate of the samples given, in Hz. Resampled (soxr, very high quality, no delay) where the file's differs.
        size
            Frames to read at a time.

        Yields
        ------
        ndarray of float32, shape (n,)
            Mono, nominally -1 to 1; `length_at(rate)` samples in all.
        """
        blocks = self._mono_blocks(size)
        return resampled(blocks, self.rate, rate, self.length_at(rate))

    def read(self, rate: int, start: int = 0, count: int | None = None) -> Samples:
        """Read `count` samples at `rate` from sample `start` on (both at `rate`); to the end if None."""
        end = self.length_at(rate) if count is None else min(start + count, self.length_at(rate))
        parts, at = [np.zeros(0, np.float32)], 0
        for block in self.blocks(rate):
            if at + block.size > start:
                parts.append(block[max(start - at, 0) : end - at])
            at += block.size
            if at >= end:
                break
        return np.concatenate(parts)

    def sha256(self) -> str:
        return sha256(self.path)

    def _mono_blocks(self, size: int) -> Iterator[Samples]:
        import soundfile

        with _opened(self.path) as f:
            left = self.frames
            while left:
                try:
                    block = f.read(min(size, left), dtype="float32", always_2d=True)
                except (soundfile.LibsndfileError, OSError) as e:
                    raise BridgeError(self.path, f"not readable ({reason(e)})", "try again") from e
                if not len(block):
                    raise BridgeError(self.path, f"ends {left} frames early", "it changed while it was read; try again")
                left -= len(block)
                yield _to_mono(block, self.channel)


@dataclass(frozen=True)
class InMemory(Recording):
    """A recording that no file holds; mono.

    Attributes
    ----------
    samples : ndarray of float32, shape (frames,)
    """

    samples: Samples

    @classmethod
    def of(cls, samples: Samples, rate: int, like: Recording) -> InMemory:
        """Give `samples` the name and the format of another recording."""
        return cls(like.path, rate, samples.size, 1, like.subtype, None, 0, (), samples)

    def _mono_blocks(self, size: int) -> Iterator[Samples]:
        for start in range(0, self.frames, size):
            yield self.samples[start : start + size]


def sha256(path: Path) -> str:
    """Hash a recording's file, after `open_recording`'s first checks."""
    with _opened(path), open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def channel_if_there(path: Path, channel: int | None) -> int | None:
    """Give `channel` if the recording has it, else None, which mixes all down."""
    with _opened(path) as f:
        return channel if channel and channel <= f.channels else None


def open_recording(path: Path, channel: int | None = None) -> Recording:
    """Check a recording by reading it once.

    Parameters
    ----------
    path
        Anything that libsndfile reads: WAV (8 to 32 bits, float, extensible), FLAC, OGG, AIFF and more.
    channel
        The channel to take, counted from 1; None mixes all down.

    Raises
    ------
    InputError
        Missing, a folder, empty, not audio, without samples, with NaN or Inf, silent, or without that channel.
    """
    notes = []
    peak, frames, loudest, most, energy = 0.0, 0, 0, -1.0, 0.0
    with _opened(path) as f:
        rate, channels, subtype, promised = f.samplerate, f.channels, f.subtype, f.frames
        if channel is not None and not 1 <= channel <= channels:
            raise InputError("--channel", f"{channel}, but {path} has {channels}", f"wanted 1 to {channels}")
        for block in _readable_blocks(f):
            mono = _to_mono(block, channel)
            if not np.isfinite(mono).all():
                at = frames + int(np.argmin(np.isfinite(mono)))
                raise InputError(path, f"sample {at} is NaN or Inf", "wanted finite samples: write the file again")
            if frames % BLOCK == 0:
                energy = 0.0
            energy += float(np.dot(mono, mono))
            if energy > most:
                most, loudest = energy, frames - frames % BLOCK
            peak = max(peak, float(np.abs(mono).max()))
            frames += len(mono)
    if not frames:
        raise InputError(path, "a header without samples", "wanted a recording")
    if peak < SILENT_PEAK:
        raise InputError(path, f"silent (peak {peak:.1g})", "wanted a recording with sound in it")
    promised = _promised_frames(path) or promised
    if frames < promised:
        notes.append(f"{path}: truncated, {frames} of {promised} frames are there; using those")
    if peak > 1:
        notes.append(f"{path}: peak {peak:.3g}; samples beyond -1 to 1 are clipped")
    if channels > 1:
        notes.append(f"{path}: {channels} channels, " + (f"took {channel}" if channel else "mixed down to one"))
    return Recording(path, rate, frames, channels, subtype, channel, loudest, tuple(notes))


def recordings_of(paths: Iterable[Path]) -> list[Path]:
    """Put in the place of a folder the recordings in it and in the folders below, sorted by name.

    What has no ending of a format that libsndfile reads is passed over, and so is what is hidden; a file that has one
    and is no recording is refused when it is opened.

    Raises
    ------
    InputError
        A folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("*") if file.is_file() and _looks_like_audio(file.relative_to(path))
            )
        if not inside:
            raise InputError(path, "a folder without audio files", "wanted one with .wav, .flac or other recordings")
        found += inside
    return found


def _looks_like_audio(file: Path) -> bool:
    import soundfile

    # Raw samples say neither rate nor format; the others are usual endings that libsndfile names otherwise.
    endings = {*soundfile.available_formats(), "AIF", "AIFC", "OGA", "OPUS", "SND"} - {"RAW"}
    hidden = any(part.startswith(".") for part in file.parts)
    return not hidden and file.suffix.lstrip(".").upper() in endings


def _to_mono(block: Samples, channel: int | None) -> Samples:
    if block.shape[1] == 1:
        return block[:, 0]
    mono: Samples = block.mean(axis=1) if channel is None else block[:, channel - 1]
    return mono


def _readable_blocks(f: soundfile.SoundFile) -> Iterator[Samples]:
    """Blocks up to the end of the file or to where the rest cannot be decoded."""
    import soundfile

    while True:
        try:
            block = f.read(SMALL_BLOCK, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            return
        if not len(block):
            return
        yield block


class _opened:
    """A SoundFile of `path`, with our errors for what cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> soundfile.SoundFile:
        import soundfile

        path = self._path
        if not path.exists():
            raise InputError(path, "no such file", "wanted a recording")
        if path.is_dir():
            raise InputError(path, "a folder", "wanted a recording")
        try:
            if path.stat().st_size == 0:
                raise InputError(path, "an empty file", "wanted a recording")
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as e:
            raise InputError(path, f"not audio ({reason(e)})", "wanted WAV, FLAC or another libsndfile format") from e
        except OSError as e:
            raise InputError(path, f"not readable ({reason(e)})", "wanted a readable file") from e
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _promised_frames(path: Path) -> int | None:
    """Frames that a RIFF header announces; libsndfile quietly reduces them to those there. None for other formats."""
    with open(path, "rb") as f:
        head = f.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        frame_bytes = 0
        while len(chunk := f.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"fmt ":
                frame_bytes = int.from_bytes(f.read(size)[12:14], "little")
                f.seek(size & 1, 1)
            elif chunk[:4] == b"data":
                # Streamed files announce the largest size there is; that promises nothing.
                return None if size >= 0xFFFF0000 or not frame_bytes else size // frame_bytes
            else:
                f.seek(size + (size & 1), 1)
    return None


def reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().rstrip(".")
