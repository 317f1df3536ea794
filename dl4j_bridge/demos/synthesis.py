"""Recordings that the package makes itself, for the demo, the examples and the tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CLASSIC_RATE = 11025


def plucked_strings(seconds: float, rate: int = CLASSIC_RATE, seed: int = 1) -> Floats:
    """A tune on plucked strings (Karplus and Strong, 1983).

    Parameters
    ----------
    seconds
        Length.
    rate
        In Hz.
    seed
        Of the tune and of the plucks.

    Returns
    -------
    ndarray of float64, shape (round(seconds * rate),)
        Peak 0.9.
    """
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * rate))
    scale = 110 * 2 ** (np.array([0, 3, 5, 7, 10, 12, 15, 17, 19, 22]) / 12)
    start = 0
    while start < sound.size:
        note = _pluck(rng.choice(scale), rng.uniform(0.8, 1.6), rate, rng) * rng.uniform(0.3, 1)
        end = min(start + note.size, sound.size)
        sound[start:end] += note[: end - start]
        start += round(rng.choice([0.15, 0.3, 0.3, 0.6]) * rate)
    return np.asarray(0.9 * sound / np.abs(sound).max())


def riff(seconds: float, rate: int = CLASSIC_RATE, seed: int = 3) -> Floats:
    """Two seconds of plucked strings again and again, each time at another level, in a little noise.

    Returns
    -------
    ndarray of float64, shape (round(seconds * rate),)
        Peak below 1.
    """
    rng = np.random.default_rng(seed)
    phrase = plucked_strings(2, rate, seed)
    count = round(seconds * rate)
    sound = np.concatenate([phrase * rng.uniform(0.7, 1.0) for _ in range(-(-count // phrase.size))])[:count]
    return np.asarray(sound + rng.normal(0, 0.005, count))


def speech_like(seconds: float, rate: int = CLASSIC_RATE, seed: int = 1) -> Floats:
    """Syllables with pauses: a buzz and a hiss through moving resonances.

    As in real speech most samples are close to zero, so the histogram has a sharp peak.

    Returns
    -------
    ndarray of float64, shape (round(seconds * rate),)
        Peak 0.9.
    """
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * rate))
    start = round(0.2 * rate)
    while start < sound.size:
        size = min(round(rng.uniform(0.08, 0.3) * rate), sound.size - start)
        pitch = rng.uniform(90, 140) * np.linspace(1, rng.uniform(0.8, 1.1), size)
        pulses = np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0)
        source = pulses * rng.uniform(0.8, 1) + rng.normal(0, rng.choice([0.01, 0.02, 0.15]), size)
        for centre, width in zip(rng.uniform([300, 900, 2200], [800, 2000, 3200]), (80, 110, 160), strict=True):
            radius = np.exp(-np.pi * width / rate)
            source = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2], source)
        level = rng.uniform(0.1, 1) ** 2
        sound[start : start + size] += level * source / (np.abs(source).max() + 1e-9) * np.hanning(size) ** 0.5
        start += size + round(rng.choice([0.02, 0.05, 0.3, 0.6]) * rate)
    sound += rng.normal(0, 0.002, sound.size)
    return np.asarray(0.9 * sound / np.abs(sound).max())


def amplifier(x: Floats, rate: int = CLASSIC_RATE) -> Floats:
    """A small amplifier: a coupling capacitor, a lopsided overdrive, a dull loudspeaker.

    Has memory on both sides of a curve, so that neither a curve nor a filter alone can do it.

    Parameters
    ----------
    x : ndarray of float, shape (n,)
    rate
        In Hz.

    Returns
    -------
    ndarray of float64, shape (n,)
        Within -0.9 to 0.9, without delay.
    """
    from scipy.signal import butter, lfilter

    tight = lfilter(*butter(1, 250, "highpass", fs=rate), x)
    driven = np.tanh(6 * tight + 0.4) - np.tanh(0.4)
    y = lfilter(*butter(2, 1800, "lowpass", fs=rate), driven)
    y -= y.mean()
    return np.asarray(0.9 * y / max(np.abs(y).max(), 1e-9), np.float64)


def _pluck(frequency: float, seconds: float, rate: int, rng: np.random.Generator) -> Floats:
    from scipy.signal import lfilter

    period = round(rate / frequency)
    noise = np.zeros(round(seconds * rate))
    noise[:period] = rng.uniform(-1, 1, period)
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1, -0.498, -0.498
    return np.asarray(lfilter([1.0], loop, noise), np.float64)
