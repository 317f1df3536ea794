"""Mistakes of a recording session or of a file: wrong delay, speed, length, level, sign, or the wrong file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal import pairs
from dl4j_bridge.signal.resampling import resample
from scoreboard.effects import late
from scoreboard.sounds import Floats, at_peak, power
from scoreboard.take import Plant, Take, in_range

# ---- time


def header(true: int, written: int) -> Plant:
    """The target was recorded at the rate `true`; its header says `written`."""
    return lambda t, a: replace(t, y=in_range(np.asarray(resample(t.y, written, true), np.float64)))


def slower(t: Take, speed: float) -> Take:
    return replace(t, y=in_range(stretched(t.y, speed)))


def stretched(y: Floats, speed: float) -> Floats:
    """The same at another speed: `speed` times slower."""
    return np.asarray(resample(y, 1_000_000, round(1_000_000 * speed)))


def shift(unit: str, options: dict[str, Any]) -> Plant:
    """Later by a number of samples or seconds; negative: earlier."""

    def plant(t: Take, a: float) -> Take:
        delay = round(a * t.rate) if unit == "seconds" else a
        return replace(t, y=in_range(late(t.y, delay)), options=t.options | options)

    return plant


def wrong_align(t: Take, a: float) -> Take:
    """A delay that was cut out by hand, too long by `a` samples."""
    return replace(t, y=late(t.y, 60), options=t.options | {"align": str(60 + int(a))})


def length(side: str) -> Plant:
    """Lengths differ by a multiple of what `train` allows."""

    def plant(t: Take, a: float) -> Take:
        more = min(round(a * pairs.length_tolerance(t.x.size, t.y.size, t.rate)), t.y.size // 2)
        if side == "shorter":
            return replace(t, y=t.y[:-more])
        return replace(t, y=np.r_[t.y, 0.3 * t.y[:more]])

    return plant


# ---- levels


# Lowest peak of a quiet recording.
QUIETEST = 1e-3


def gain(side: str) -> Plant:
    """One side is quieter: mean level and peak are apart by at least a number of decibels."""

    def plant(t: Take, decibels: float) -> Take:
        change = [20 * np.log10(measure(t.y) / measure(t.x)) for measure in (np.std, lambda v: np.abs(v).max())]
        quieter = 10 ** (-(decibels + (max(change) if side == "y" else -min(change))) / 20)
        x, y = (t.x, quieter * t.y) if side == "y" else (quieter * t.x, t.y)
        peaks = [np.abs(v).max() for v in (x, y)]
        # `train` refuses what is as good as silent.
        louder = 0.9 / max(peaks) if min(peaks) < QUIETEST else 1.0
        return replace(t, x=louder * x, y=louder * y)

    return plant


def offset(side: str) -> Plant:
    """An offset, relative to the standard deviation; both sides at half their level, so that there is room for it."""

    def plant(t: Take, a: float) -> Take:
        x, y = 0.5 * t.x, 0.5 * t.y
        if side == "x":
            return replace(t, x=x + max(a * x.std(), 0.045), y=y)
        return replace(t, x=x, y=y + max(a * y.std(), 0.045))

    return plant


def clipped_input(t: Take, a: float) -> Take:
    """The recorder clips; the effect was given the whole."""
    return replace(t, x=clip(t.x, a))


def clipped_target(t: Take, a: float) -> Take:
    """Clipped at full scale."""
    return replace(t, y=at_peak(clip(t.y, a), 1.0))


def clip(x: Floats, a: float) -> Floats:
    limit = (1 - 0.95 * a) * np.abs(x).max()
    return np.clip(x, -limit, limit)


def mostly_silent(t: Take, share: float) -> Take:
    """Sound only around the loudest place of the target, for 1 - share of the time."""
    size = int((1 - share) * t.x.size)
    start = int(power(t.x, size).argmax())
    mask = np.zeros(t.x.size)
    mask[start : start + size] = 1
    mask = np.convolve(mask, np.ones(64) / 64, "same")
    return replace(t, x=t.x * mask, y=t.wet(t.x * mask))


def little(t: Take, thousands: float) -> Take:
    """A stretch with sound, of a number of thousands of samples."""
    size = int(1000 * thousands)
    start = min(int(np.abs(t.x).argmax()), t.x.size - size)
    x = t.x[start : start + size]
    return replace(t, x=x, y=t.y[start : start + size])


def too_quiet(t: Take, esr: float) -> Take:
    """Rounding to 8 linear bits gives this ESR in either side, pauses left out."""
    x, y = (side * _level_of(side, t.rate, esr) for side in (t.x, t.y))
    return replace(t, x=x, y=y, options=t.options | {"codec": "linear"})


def _level_of(x: Floats, rate: int, esr: float) -> float:
    """Factor at which rounding to 8 bits has this ESR in the frames of 20 ms within 40 dB of the loudest one."""
    size = round(0.02 * rate)
    frames = x[: x.size // size * size].reshape(-1, size)
    loud = frames[frames.var(axis=1) > 1e-4 * frames.var(axis=1).max()]
    low, high = 1e-4, 1e3
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        error = np.round(128 * middle * loud) / 128 - middle * loud
        low, high = (middle, high) if np.sum(error**2) > esr * np.sum((middle * loud) ** 2) else (low, middle)
    return high


# ---- which file


def unrelated(t: Take, a: float) -> Take:
    """1: another kind of sound; 2: the same recording, played backwards; 3: the same loudness from another sound."""
    seconds = t.x.size / t.rate
    if a == 1:
        other = (
            synthesis.speech_like(seconds, t.rate, 99)[: t.x.size]
            if "string" in t.sound.name
            else (synthesis.plucked_strings(seconds, t.rate, 98)[: t.x.size])
        )
    elif a == 2:
        # A loop played backwards is the same loop through an all-pass filter.
        other = synthesis.speech_like(seconds, t.rate, 96) if t.sound.repeats else t.x[::-1]
    else:
        size = round(0.1 * t.rate)
        loudness = np.sqrt(power(np.pad(t.x, (size // 2, size - 1 - size // 2)), size))
        stranger = synthesis.plucked_strings(seconds, t.rate, 97)[: t.x.size]
        flat = stranger / np.sqrt(power(np.pad(stranger, (size // 2, size - 1 - size // 2)), size) + 1e-6)
        other = 0.4 * loudness * flat
    return replace(t, y=t.wet(at_peak(np.resize(other, t.x.size), np.abs(t.x).max())))


def inverted(t: Take, delay: float) -> Take:
    return replace(t, y=-in_range(late(t.y, delay)))


def swapped(t: Take, delay: float) -> Take:
    """Input and target exchanged; the wet side has the latency that every recorded one has."""
    return replace(t, x=late(t.y, delay), y=t.x)
