"""Dry recordings of every kind, synthesized or read from a folder, each in one of two halves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import butter, lfilter, sosfilt

from dl4j_bridge.demos import synthesis

Floats = npt.NDArray[np.float64]

FIT, REPORT = "fit", "report"
# Length of a stretch of a recording from the folder, the share of its length at which the second one begins, and the
# shortest recording that gives two.
SECONDS, SECOND_AT = 7, 0.5
# Real recordings and their stretches alternate between the halves, so that each half has every recording.
HALVES = (FIT, REPORT)
# Levels on either side of zero in each sample format.
LEVELS = {"PCM_U8": 1 << 7, "PCM_16": 1 << 15, "PCM_24": 1 << 23}


@dataclass(frozen=True)
class Sound:
    """A dry recording.

    Attributes
    ----------
    name
        Used in the names of cases.
    rate
        In Hz.
    half
        ``fit``: thresholds may be fitted on it; ``report``: reported figures come from it.
    make
        Returns the samples.
    subtype
        Sample format of its wav.
    repeats
        Whether it repeats itself, so that a shift by a period, or a part from another time, may change nothing.
    stereo
        Whether it is stored as two channels of the same sound.
    """

    name: str
    rate: int
    half: str
    make: Callable[[], Floats]
    subtype: str = "PCM_16"
    repeats: bool = False
    stereo: bool = False

    def samples(self) -> Floats:
        """Samples of shape (n,), at most 0.95."""
        return _samples(self)


@cache
def _samples(sound: Sound) -> Floats:
    # The effect must be given what the wav will hold, or the target knows more than the input.
    levels = LEVELS[sound.subtype]
    return np.asarray(np.round(sound.make() * levels) / levels)


def sounds(folder: Path | None) -> list[Sound]:
    """Synthesized recordings, then two stretches of each wav in the folder."""
    return SYNTHESIZED + (_from_folder(folder) if folder else [])


def _from_folder(folder: Path) -> list[Sound]:
    found = []
    for number, path in enumerate(sorted(folder.glob("*.wav"))):
        info = soundfile.info(path)
        size = min(SECONDS * info.samplerate, info.frames)
        starts = [0] if info.frames < 1.5 * size else [0, min(int(SECOND_AT * info.frames), info.frames - size)]
        for part, start in enumerate(starts):
            half = HALVES[(number + part) % 2]
            name = f"{path.stem}-{part + 1}"
            found.append(Sound(name, info.samplerate, half, _Stretch(path, start, size)))
    return found


@dataclass(frozen=True)
class _Stretch:
    path: Path
    start: int
    size: int

    def __call__(self) -> Floats:
        x, _ = soundfile.read(self.path, start=self.start, frames=self.size, always_2d=True)
        return np.asarray(0.9 * x.mean(axis=1) / max(np.abs(x).max(), 1e-9))


def at_peak(x: Floats, peak: float = 0.9) -> Floats:
    """Scale a sound to a peak."""
    return np.asarray(peak * x / max(np.abs(x).max(), 1e-9))


def power(x: Floats, size: int) -> Floats:
    """Mean square of each stretch of `size` samples; shape (n - size + 1,)."""
    total = np.r_[0, np.cumsum(x**2)]
    return np.asarray(np.maximum(total[size:] - total[:-size], 0) / size)


def white_noise(seconds: float, rate: int, seed: int) -> Floats:
    """Gaussian noise at -14 dB, limited to 0.95."""
    return np.random.default_rng(seed).normal(0, 0.2, round(seconds * rate)).clip(-0.95, 0.95)


def pink_noise(seconds: float, rate: int, seed: int) -> Floats:
    """Noise whose power falls by 3 dB an octave, in swells of a second."""
    white = np.fft.rfft(np.random.default_rng(seed).normal(size=round(seconds * rate)))
    white /= np.sqrt(np.maximum(np.arange(white.size), 20 * seconds))
    x = np.fft.irfft(white, round(seconds * rate))
    return at_peak(x * (0.55 + 0.45 * np.cos(2 * np.pi * np.arange(x.size) / rate)))


def sweep(seconds: float, rate: int) -> Floats:
    """A sine that rises exponentially from 40 Hz to 0.45 of the rate and falls back."""
    low, high = 40.0, 0.45 * rate
    t = np.linspace(0, 2, round(seconds * rate))
    hertz = low * (high / low) ** (1 - np.abs(1 - t))
    return np.asarray(0.8 * np.sin(2 * np.pi * np.cumsum(hertz) / rate))


def drums(seconds: float, rate: int, seed: int) -> Floats:
    """Kick, snare and hi-hat on a grid of eighths, with varying force."""
    rng = np.random.default_rng(seed)
    beat = round(60 / rng.uniform(100, 140) / 2 * rate)
    t = np.arange(round(0.35 * rate)) / rate
    x = np.zeros(round(seconds * rate) + t.size)
    high = butter(2, min(5000, 0.35 * rate), "highpass", fs=rate)
    for number, start in enumerate(range(0, x.size - t.size, beat)):
        hits = 0.25 * lfilter(*high, rng.normal(size=t.size)) * np.exp(-t / 0.02)
        if number % 4 == 0 or rng.uniform() < 0.1:
            hits += np.sin(2 * np.pi * np.cumsum(50 + 120 * np.exp(-t / 0.03)) / rate) * np.exp(-t / 0.09)
        if number % 4 == 2:
            hits += (0.5 * rng.normal(size=t.size) + np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.06) * 0.6
        x[start : start + t.size] += rng.uniform(0.5, 1) * hits
    return at_peak(x[: round(seconds * rate)])


def note(hertz: float, seconds: float, rate: int, decay: float) -> Floats:
    """A tone with harmonics that die away, the high ones first."""
    t = np.arange(round(seconds * rate)) / rate
    x = np.zeros(t.size)
    for k in range(1, int(0.45 * rate / hertz) + 1):
        x += np.sin(2 * np.pi * k * hertz * t + k) / k * np.exp(-t * (1 + 0.3 * k) / decay)
    fade = np.minimum(1, np.minimum(np.arange(t.size), np.arange(t.size)[::-1]) / (0.005 * rate))
    return np.asarray(x * fade)


def chord_loop(seconds: float, rate: int, seed: int) -> Floats:
    """Two chords in a loop of exactly 1.6 s."""
    rng = np.random.default_rng(seed)
    parts = []
    for root in rng.choice([98.0, 110.0, 130.8, 146.8], 2, replace=False):
        third = 2 ** (rng.choice([3, 4]) / 12)
        parts.append(sum(note(root * r, 0.8, rate, 0.8) for r in (1.0, third, 2 ** (7 / 12), 2.0)))
    loop = np.concatenate(parts)
    return at_peak(np.resize(loop, round(seconds * rate)))


def single_notes(seconds: float, rate: int, seed: int) -> Floats:
    """One note at a time, with a rest after each."""
    rng = np.random.default_rng(seed)
    x = np.zeros(round(seconds * rate))
    start = round(0.1 * rate)
    while start < x.size:
        tone = note(82.4 * 2 ** (rng.integers(0, 24) / 12), rng.uniform(0.5, 1.1), rate, 0.5) * rng.uniform(0.5, 1)
        stop = min(start + tone.size, x.size)
        x[start:stop] += tone[: stop - start]
        start = stop + round(0.15 * rate)
    return at_peak(x + rng.normal(0, 1e-4, x.size))


def beat_loop(seconds: float, rate: int, seed: int) -> Floats:
    """One second of drums, repeated exactly."""
    return np.asarray(np.resize(drums(1, rate, seed), round(seconds * rate)))


def pad(seconds: float, rate: int, seed: int) -> Floats:
    """Sawtooth waves slightly out of tune, through a low-pass filter, a chord for every two seconds."""
    rng = np.random.default_rng(seed)
    size = 2 * rate
    x = np.zeros(0)
    while x.size < seconds * rate:
        roots = rng.choice([110.0, 130.8, 164.8, 196.0, 220.0], 3, replace=False)
        t = np.arange(size) / rate
        saws = sum(2 * ((hertz * (1 + d) * t + rng.uniform()) % 1) - 1 for hertz in roots for d in (-0.003, 0.002))
        x = np.r_[x, saws * np.minimum(1, np.minimum(t, t[::-1]) / 0.05)]
    sos = butter(4, min(2500, 0.3 * rate), fs=rate, output="sos")
    return at_peak(sosfilt(sos, x[: round(seconds * rate)]))


def test_signal(seconds: float, rate: int, seed: int) -> Floats:
    """Clicks, a sweep, steps of noise, then music: as a capture session of an amplifier plays it."""
    clicks = np.zeros(rate // 2)
    clicks[rate // 8 :: rate // 8] = 0.8
    steps = white_noise(1, rate, seed) * np.repeat([0.1, 0.3, 0.6, 1.2], -(-rate // 4))[:rate]
    start = np.r_[clicks, sweep(1, rate), steps]
    music = synthesis.plucked_strings(seconds - start.size / rate, rate, seed)
    return np.asarray(np.r_[start, music].clip(-0.95, 0.95))


def nearly_silent(seconds: float, rate: int, seed: int) -> Floats:
    """Speech-like sound 40 dB below full scale."""
    return 0.01 * synthesis.speech_like(seconds, rate, seed)


def _made(
    half: str,
    name: str,
    rate: int,
    make: Callable[[float, int, int], Floats],
    seed: int,
    seconds: float = 6,
    **more: object,
) -> Sound:
    return Sound(name, rate, half, lambda: make(seconds, rate, seed), **more)  # type: ignore[arg-type]


SYNTHESIZED = [
    _made(FIT, "strings", 11025, synthesis.plucked_strings, 1),
    _made(FIT, "speech-like", 8000, synthesis.speech_like, 1, subtype="PCM_U8"),
    _made(FIT, "drums", 22050, drums, 1),
    _made(FIT, "white-noise", 8000, white_noise, 1),
    _made(FIT, "slow-sweep", 16000, lambda seconds, rate, seed: sweep(seconds, rate), 0),
    _made(FIT, "chord-loop", 22050, chord_loop, 1, repeats=True),
    _made(FIT, "bass-notes", 11025, single_notes, 1),
    _made(FIT, "riff", 11025, synthesis.riff, 3, repeats=True),
    _made(FIT, "quiet-speech", 16000, nearly_silent, 2, subtype="PCM_24"),
    _made(FIT, "pad", 44100, pad, 1, 5),
    _made(FIT, "stereo-strings", 16000, synthesis.plucked_strings, 5, stereo=True),
    _made(FIT, "test-signal", 32000, test_signal, 1),
    _made(REPORT, "strings-44k1", 44100, synthesis.plucked_strings, 4, 5),
    _made(REPORT, "speech-like-16k", 16000, synthesis.speech_like, 7),
    _made(REPORT, "drums-44k1", 44100, drums, 2, 5),
    _made(REPORT, "pink-noise", 11025, pink_noise, 2),
    _made(REPORT, "sweep-8k", 8000, lambda seconds, rate, seed: sweep(seconds, rate), 0, 7),
    _made(REPORT, "chord-loop-16k", 16000, chord_loop, 4, repeats=True),
    _made(REPORT, "notes-32k", 32000, single_notes, 3),
    _made(REPORT, "beat-loop", 22050, beat_loop, 3, repeats=True),
    _made(REPORT, "quiet-speech-8k", 8000, nearly_silent, 3, 7, subtype="PCM_24"),
    _made(REPORT, "pad-22k", 22050, pad, 2),
    _made(REPORT, "stereo-speech", 22050, synthesis.speech_like, 5, stereo=True),
    _made(REPORT, "test-signal-48k", 48000, test_signal, 2, 5),
]
