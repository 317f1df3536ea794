"""Changes of the target that no fixed model of the input can follow: each takes a pair and an amount from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

from dl4j_bridge.signal.resampling import resample
from scoreboard.effects import late
from scoreboard.sounds import Floats, power
from scoreboard.take import Plant, Take, target

# ---- the target changes with time


def tremolo(hertz: float) -> Plant:
    return target(lambda t, a: t.y * (1 - 0.95 * a * (0.5 + 0.5 * np.sin(2 * np.pi * hertz * t.at()))))


def ring(t: Take, a: float) -> Floats:
    return np.asarray(t.y * (1 - a + a * np.sin(2 * np.pi * 300 * t.at())))


def read_at(y: Floats, at: Floats) -> Floats:
    """Sample a sound at any places, by cubic interpolation of twice the rate."""
    double = resample(y, 1, 2)
    return np.asarray(np.interp(2 * at, np.arange(double.size), double))


def vibrato(hertz: float, seconds: float) -> Plant:
    def change(t: Take, a: float) -> Floats:
        swing = a * seconds * t.rate * (1 + np.sin(2 * np.pi * hertz * t.at()))
        return read_at(t.y, np.arange(t.y.size) - swing)

    return target(change)


def chorus(t: Take, a: float) -> Floats:
    swing = t.rate * (0.012 + 0.004 * np.sin(2 * np.pi * 1.1 * t.at()))
    return np.asarray(t.y + a * read_at(t.y, np.arange(t.y.size) - swing))


def phaser(t: Take, a: float) -> Floats:
    """Four all-pass filters whose frequency moves, in steps of 64 samples."""
    y, state = np.empty_like(t.y), [np.zeros(1) for _ in range(4)]
    for start in range(0, y.size, 64):
        hertz = 300 * (1500 / 300) ** (0.5 + 0.5 * np.sin(2 * np.pi * 0.8 * start / t.rate))
        c = (np.tan(np.pi * hertz / t.rate) - 1) / (np.tan(np.pi * hertz / t.rate) + 1)
        part = t.y[start : start + 64]
        for k in range(4):
            part, state[k] = lfilter([c, 1], [1, c], part, zi=state[k])
        y[start : start + 64] = part
    return np.asarray(t.y + a * y)


def fade(t: Take, a: float) -> Floats:
    return np.asarray(t.y * (1 - a * np.linspace(0, 1, t.y.size)))


def steps(t: Take, a: float) -> Floats:
    levels = np.array([1.0, 1 - a, 1 - 0.4 * a])
    edges = np.linspace(0, t.y.size, 4)[1:-1].astype(int)
    gain = levels[np.searchsorted(edges, np.arange(t.y.size), side="right")]
    smooth = max(round(0.02 * t.rate), 1)
    return np.asarray(t.y * np.convolve(np.pad(gain, smooth, "edge"), np.ones(smooth) / smooth, "same")[smooth:-smooth])


def latencies(at: float) -> Plant:
    """From a place on, the target comes later by a number of milliseconds, at least by one sample."""

    def change(t: Take, milliseconds: float) -> Floats:
        more = round(milliseconds / 1000 * t.rate) or int(np.sign(milliseconds))
        # The first latency is longer than any change, so that the target never leads.
        first, cut = max(20, -more), int(at * t.y.size)
        return np.concatenate([late(t.y, first)[:cut], late(t.y, first + more)[cut:]])

    return target(change)


def wow(t: Take, a: float) -> Floats:
    return read_at(t.y, np.arange(t.y.size) - a * 0.004 * t.rate * np.sin(2 * np.pi * 0.6 * t.at()))


# ---- memory


def echo(seconds: float) -> Plant:
    return target(lambda t, a: t.y + a * late(t.y, round(seconds * t.rate)))


def reverb(t: Take, a: float) -> Floats:
    n = round(1.5 * t.rate)
    tail = np.random.default_rng(3).normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    tail[: round(0.05 * t.rate)] = 0
    return np.asarray(t.y + a * oaconvolve(t.y, tail / np.linalg.norm(tail))[: t.y.size])


# ---- what is not in the input


def added(make: Callable[[Take], Floats]) -> Plant:
    def change(t: Take, a: float) -> Floats:
        noise = make(t)
        # An amount of 1 is an ESR of a half.
        return np.asarray(t.y + a * noise * (t.y.std() / max(noise.std(), 1e-12)))

    return target(change)


def hum(hertz: float, harmonics: int) -> Callable[[Take], Floats]:
    return lambda t: np.asarray(
        sum(np.sin(2 * np.pi * hertz * k * t.at() + k) / k**1.5 for k in range(1, 2 * harmonics, 2))
    )


def hiss(t: Take) -> Floats:
    return t.rng().normal(size=t.y.size)


def rumble(t: Take) -> Floats:
    sos = butter(2, [300, min(3000, 0.4 * t.rate)], "bandpass", fs=t.rate, output="sos")
    return np.asarray(sosfilt(sos, hiss(t)))


def wrong_take(t: Take, share: float) -> Floats:
    """The loudest part of this share is another take: the recording at another time, at the same level."""
    size, fade = int(share * t.y.size), round(0.01 * t.rate)
    start = int(power(t.y, size).argmax())
    part = slice(start, start + size)
    other = t.wet(np.roll(t.x, round(0.4 * t.x.size) + t.rate // 7))
    other *= t.y[part].std() / max(float(other[part].std()), 1e-3 * t.y.std())
    mask = np.zeros(t.y.size)
    mask[part] = 1
    mask = np.convolve(mask, np.ones(fade) / fade, "same")
    return np.asarray((1 - mask) * t.y + mask * other)


def places(t: Take, count: int, size: int) -> list[int]:
    """Starts of stretches with sound, spread over the target."""
    rng, starts = t.rng(), []
    levels = power(t.y, size)
    for part in np.array_split(np.arange(levels.size), count):
        loud = part[levels[part] >= np.quantile(levels[part], 0.6)]
        starts.append(int(rng.choice(loud)))
    return starts


def gaps(seconds: float) -> Plant:
    """Zeros; the amount is their share of a second in ten."""

    def change(t: Take, a: float) -> Floats:
        y, size = t.y.copy(), round(seconds * t.rate)
        count = max(round(a * 0.3 * t.y.size / size), 1)
        for start in places(t, count, size):
            y[start : start + size] = 0
        return y

    return target(change)


def repeats(t: Take, a: float) -> Floats:
    """A buffer of 256 samples is played again in place of the next one."""
    y, size = t.y.copy(), 256
    for start in places(t, max(round(a * 0.3 * t.y.size / size), 1), 2 * size):
        y[start + size : start + 2 * size] = y[start : start + size][: y[start + size : start + 2 * size].size]
    return y


def clicks(t: Take, a: float) -> Floats:
    """Single wrong samples; the amount is their number and their height."""
    y = t.y.copy()
    count = max(round(0.01 * a * y.size), 3)
    at = np.array(places(t, count, 8))
    y[at] = np.sign(t.rng().normal(size=count)) * max(0.98 * np.abs(y).max(), 4 * y.std())
    return y


# ---- resolution


def coarse(t: Take, a: float) -> Floats:
    step = a * np.abs(t.y).max()
    return np.asarray(np.round(t.y / step) * step)


def held(t: Take, a: float) -> Floats:
    """Each sample is held for up to 16."""
    factor = 2 + int(14 * a)
    return np.repeat(t.y[::factor], factor)[: t.y.size]
