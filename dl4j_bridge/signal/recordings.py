"""Recordings on disk as float samples, read in blocks, so a recording may have any length."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.object_store import is_remote, local
from dl4j_bridge.signal.resampling import length_at, resampled
from dl4j_bridge.signal.unpadded_chunks import missing_padding, padded
from dl4j_bridge.untrusted.files import check_regular

Samples = npt.NDArray[np.float32]

# Number of frames that are read at a time.
BLOCK = 1 << 16
# Frames per read while checking a file: after a decoding error the whole read is lost.
SMALL_BLOCK = 1 << 12
# About -80 dB: a recording with a lower peak is silent with 8 bits.
SILENT_PEAK = 1e-4
# A peak from here on is no loud sound but another scale: that of 8, 16, 24 or 32 bits.
OTHER_SCALE_PEAK = 100.0
SCALES = (1 << 7, 1 << 15, 1 << 23, 1 << 31)
# Energy of the mix of all channels below which, relative to the mean of the channels, they cancel each other: -26 dB.
CANCELLED = 2.5e-3


@dataclass(frozen=True)
class Recording:
    """A recording on disk that has been read and checked once.

    Attributes
    ----------
    path
        The file.
    rate
        Sample rate of the file in Hz.
    frames
        Number of samples per channel that can be decoded.
    channels
        Number of channels in the file.
    subtype
        Name of the sample format in libsndfile, such as ``PCM_U8``.
    channel
        Channel to use, counted from 1; None mixes all channels down.
    loudest
        First frame of the loudest block of `BLOCK` frames.
    notes
        Notes for the user, for example that the file is mixed down or truncated.
    peaks : ndarray of float32
        Peak of each block of `SMALL_BLOCK` frames.
    """

    path: Path
    rate: int
    frames: int
    channels: int
    subtype: str
    channel: int | None
    loudest: int
    notes: tuple[str, ...]
    peaks: Samples = field(compare=False)

    @property
    def is_8_bit(self) -> bool:
        return self.subtype in ("PCM_U8", "PCM_S8")

    @property
    def peak(self) -> float:
        return float(self.peaks.max(initial=0.0))

    def silent(self, level: float, start: int = 0, stop: int | None = None) -> bool:
        """Whether no sample of the blocks that frames `start` to `stop` touch exceeds `level`."""
        last = None if stop is None else -(-stop // SMALL_BLOCK)
        return float(self.peaks[start // SMALL_BLOCK : last].max(initial=0.0)) <= level

    def end_of_sound(self, level: float) -> int:
        """Frame at which the last block with a sample above `level` ends."""
        sounding = np.flatnonzero(self.peaks > level)
        return min((int(sounding[-1]) + 1) * SMALL_BLOCK, self.frames) if sounding.size else 0

    def length_at(self, rate: int) -> int:
        """Length of the recording at `rate`, in samples."""
        return length_at(self.frames, self.rate, rate)

    def blocks(self, rate: int, size: int = BLOCK) -> Iterator[Samples]:
        """Read the recording from its start.

        Parameters
        ----------
        rate
            Sample rate of the result in Hz. If it differs from that of the file, the samples are resampled (soxr, very
            high quality, no delay).
        size
            Number of frames to read at a time.

        Yields
        ------
        ndarray of float32, shape (n,)
            Mono, nominally -1 to 1; `length_at(rate)` samples in total.
        """
        return resampled(self._mono_blocks(size), self.rate, rate, self.length_at(rate))

    def read(self, rate: int, start: int = 0, count: int | None = None) -> Samples:
        """Read `count` samples from sample `start`, both at `rate`; None reads to the end."""
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
                yield to_mono(block, self.channel)


@dataclass(frozen=True)
class InMemory(Recording):
    """A mono recording in memory.

    Attributes
    ----------
    samples : ndarray of float32, shape (frames,)
        Samples at the rate of the recording.
    """

    samples: Samples

    @classmethod
    def of(cls, samples: Samples, rate: int, like: Recording) -> InMemory:
        """Make a recording of `samples` with the path and the sample format of another recording."""
        peaks = [np.abs(samples[at : at + SMALL_BLOCK]).max() for at in range(0, samples.size, SMALL_BLOCK)]
        levels = np.array(peaks, np.float32)
        return cls(like.path, rate, samples.size, 1, like.subtype, None, 0, (), levels, samples)

    def _mono_blocks(self, size: int) -> Iterator[Samples]:
        for start in range(0, self.frames, size):
            yield self.samples[start : start + size]


def sha256(path: Path) -> str:
    """Hash the file of a recording, after checking that it is audio."""
    with _opened(path), open(local(path), "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def channel_if_there(path: Path, channel: int | None) -> int | None:
    """Return `channel` if the recording has it; otherwise None, which mixes all channels down."""
    with _opened(path) as f:
        return channel if channel and channel <= f.channels else None


def open_recording(path: Path, channel: int | None = None, *, may_be_silent: bool = False) -> Recording:
    """Check a recording by reading it once.

    Parameters
    ----------
    path
        File in a format that libsndfile reads: WAV (8 to 32 bits, float, extensible), FLAC, OGG, AIFF and more.
    channel
        Channel to use, counted from 1; None mixes all channels down.
    may_be_silent
        Whether a recording without sound is fine.

    Raises
    ------
    InputError
        If the file is missing, a folder, empty, not audio, without samples or silent, contains NaN or Inf, does not
        have that channel, is not in the range -1 to 1 by far, or if its channels cancel each other.
    """
    notes = []
    peaks: list[float] = []
    frames, loudest, most, energy = 0, 0, -1.0, 0.0
    each = _Channels()
    with _opened(path) as f:
        rate, channels, subtype, announced, log = f.samplerate, f.channels, f.subtype, f.frames, f.extra_info
        if channel is not None and not 1 <= channel <= channels:
            raise InputError("--channel", f"{channel}, but {path} has {channels}", f"wanted 1 to {channels}")
        for block in _readable_blocks(f):
            mono = to_mono(block, channel)
            if not np.isfinite(mono).all():
                at = frames + int(np.argmin(np.isfinite(mono)))
                raise InputError(path, f"sample {at} is NaN or Inf", "wanted finite samples: write the file again")
            if frames % BLOCK == 0:
                energy = 0.0
            each.add(block)
            energy += float(np.dot(mono, mono))
            if energy > most:
                most, loudest = energy, frames - frames % BLOCK
            peaks.append(float(np.abs(mono).max()))
            frames += len(mono)
    if not frames:
        raise InputError(path, "a header without samples", "wanted a recording")
    levels = np.array(peaks, np.float32)
    mixed = f"took {channel}" if channel else "mixed down to one"
    if channel is None and channels > 1 and each.only is not None:
        # Mixed down, it would have half the level that it has in a mono file.
        channel, levels = each.only, levels * channels
        mixed = f"only channel {channel} has sound; took that"
    elif channel is None and each.cancel:
        wanted = f"wanted one of them: --channel {int(each.energies.argmax()) + 1}"
        raise InputError(path, f"its {channels} channels cancel each other when they are mixed down", wanted)
    peak = float(levels.max())
    if peak < SILENT_PEAK and not may_be_silent:
        raise InputError(path, f"silent (peak {peak:.1g})", "wanted a recording with sound in it")
    announced = max(announced, _announced_frames(log, frames))
    if frames < announced:
        notes.append(f"{path}: truncated, {frames} of {announced} frames are there; using those")
    if peak >= OTHER_SCALE_PEAK:
        factor = next((scale for scale in SCALES if peak <= scale), SCALES[-1])
        raise InputError(path, f"a peak of {peak:.5g}", f"wanted -1 to 1: divide the samples by {factor}")
    if peak > 1:
        notes.append(f"{path}: peak {peak:.3g}; samples beyond -1 to 1 are clipped")
    if channels > 1:
        notes.append(f"{path}: {channels} channels, {mixed}")
    return Recording(path, rate, frames, channels, subtype, channel, loudest, tuple(notes), levels)


class _Channels:
    """Levels of the channels of a file and of their mix."""

    def __init__(self) -> None:
        self.energies: npt.NDArray[np.float64] = np.zeros(1)
        self.peaks: npt.NDArray[np.floating] = np.zeros(1)
        self._mixed = 0.0

    def add(self, block: Samples) -> None:
        self.energies = self.energies + np.sum(np.square(block, dtype=np.float64), axis=0)
        self.peaks = np.maximum(self.peaks, np.abs(block).max(axis=0))
        self._mixed += float(np.sum(np.square(block.mean(axis=1), dtype=np.float64)))

    @property
    def only(self) -> int | None:
        """The channel that has sound, counted from 1, if it is the only one."""
        sounding = np.flatnonzero(self.peaks >= SILENT_PEAK)
        return int(sounding[0]) + 1 if sounding.size == 1 else None

    @property
    def cancel(self) -> bool:
        """Whether next to nothing of the channels is left in their mix."""
        return self._mixed < CANCELLED * float(self.energies.mean())


def audio_endings() -> set[str]:
    """Endings of files that are taken for recordings, in capital letters."""
    # A RAW file has no header with its rate and format; the added endings are common but no names of libsndfile.
    return {*soundfile.available_formats(), "AIF", "AIFC", "OGA", "OPUS", "SND"} - {"RAW"}


def recordings_of(paths: Iterable[Path]) -> list[Path]:
    """Replace folders by the recordings in them and in their subfolders, sorted by name.

    Hidden files and files without the ending of an audio format are ignored. The content is checked only by
    `open_recording`.

    Raises
    ------
    InputError
        If a folder contains no recordings.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if _is_audio(file, path)) if path.is_dir() else [path]
        if not inside:
            raise InputError(path, "a folder without audio files", "wanted one with .wav, .flac or other recordings")
        found += inside
    return found


def _is_audio(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lstrip(".").upper() in audio_endings() and (is_remote(file) or file.is_file())


def to_mono(block: Samples, channel: int | None) -> Samples:
    """One channel of a block of shape (n, channels), or the mean of all."""
    if block.shape[1] == 1:
        return block[:, 0]
    mono: Samples = block.mean(axis=1) if channel is None else block[:, channel - 1]
    return mono


def _readable_blocks(f: soundfile.SoundFile) -> Iterator[Samples]:
    """Yield blocks up to the end of the file or the first block that cannot be decoded."""
    with suppress(soundfile.LibsndfileError):
        while len(block := f.read(SMALL_BLOCK, dtype="float32", always_2d=True)):
            yield block


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a recording, or raise `InputError` if that fails."""
    there = local(path)
    check_regular(there, "wanted a recording")
    try:
        if there.stat().st_size == 0:
            raise InputError(path, "an empty file", "wanted a recording")
        file = header_of(there)
    except soundfile.LibsndfileError as e:
        raise InputError(path, f"not audio ({reason(e)})", "wanted WAV, FLAC or another libsndfile format") from e
    except OSError as e:
        raise InputError(path, f"not readable ({reason(e)})", "wanted a readable file") from e
    with file:
        yield file


def header_of(path: Path) -> soundfile.SoundFile:
    """Open a recording, without any check."""
    try:
        # As bytes, since libsndfile's binding encodes no name that is not UTF-8.
        return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)
    except soundfile.LibsndfileError:
        missing = missing_padding(path)
        if not missing:
            raise
        return soundfile.SoundFile(padded(path, missing))


def _announced_frames(log: str, frames: int) -> int:
    """Number of frames that the header announces, estimated from the log of libsndfile.

    libsndfile silently reduces the number to `frames` for a truncated file, but logs the sizes in bytes.
    """
    sizes = [(int(a), int(b)) for a, b in re.findall(r"(\d+) \(?should be (\d+)", log)]
    sizes += [(int(a), int(b)) for b, a in re.findall(r"truncated\. (\d+) <--> (\d+)", log)]
    for announced, there in reversed(sizes):
        # A byte of padding may be missing. Streamed files announce the maximum, because their length was not known.
        if 0 < there < announced - 1 and announced < 0xFFFF0000:
            frame_bytes = there // frames
            return announced // frame_bytes if frame_bytes else frames * announced // there
    return frames


def reason(error: Exception) -> str:
    """Return the reason of an error of libsndfile or the operating system, without a final period."""
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().rstrip(".")
