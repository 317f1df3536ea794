"""Synthetic recordings for the demo, the examples and the tests."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CLASSIC_RATE = 11025


def plucked_strings(seconds: float, rate: int = CLASSIC_RATE, seed: int = 1) -> Floats:
    """Synthesize a tune on plucked strings (Karplus and Strong, 1983).

    Parameters
    ----------
    seconds
        Length in seconds.
    rate
        Sample rate in Hz.
    seed
        Seed of the tune and of the plucks.

    Returns
    -------
    ndarray of float64, shape (round(seconds * rate),)
        Samples with a peak of 0.9.
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
    return _at_peak(sound)


def riff(seconds: float, rate: int = CLASSIC_RATE, seed: int = 3) -> Floats:
    """Repeat two seconds of plucked strings at varying levels, with a little noise.

    Parameters are those of `plucked_strings`.

    Returns
    -------
    ndarray of float64, shape (round(seconds * rate),)
        Samples with a peak below 1.
    """
    rng = np.random.default_rng(seed)
    phrase = plucked_strings(2, rate, seed)
    count = round(seconds * rate)
    sound = np.concatenate([phrase * rng.uniform(0.7, 1.0) for _ in range(-(-count // phrase.size))])[:count]
    return sound + rng.normal(0, 0.005, count)


def speech_like(seconds: float, rate: int = CLASSIC_RATE, seed: int = 1) -> Floats:
    """Synthesize syllables with pauses: pulses and noise through three resonances that vary between syllables.

    As in real speech, most samples are close to 0, so the histogram has a sharp peak. Parameters are those of
    `plucked_strings`.

    Returns
    -------
    ndarray of float64, shape (round(seconds * rate),)
        Samples with a peak of 0.9.
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
        for center, width in zip(rng.uniform([300, 900, 2200], [800, 2000, 3200]), (80, 110, 160), strict=True):
            radius = np.exp(-np.pi * width / rate)
            source = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * center / rate), radius**2], source)
        level = rng.uniform(0.1, 1) ** 2
        sound[start : start + size] += level * source / (np.abs(source).max() + 1e-9) * np.hanning(size) ** 0.5
        start += size + round(rng.choice([0.02, 0.05, 0.3, 0.6]) * rate)
    return _at_peak(sound + rng.normal(0, 0.002, sound.size))


def amplifier(x: Floats, rate: int = CLASSIC_RATE) -> Floats:
    """Simulate a small amplifier: a high-pass filter, an asymmetric overdrive and a low-pass filter.

    With a filter on both sides of the curve, neither a curve nor a filter alone can model it.

    Parameters
    ----------
    x : ndarray of float, shape (n,)
        Dry samples.
    rate
        Sample rate in Hz.

    Returns
    -------
    ndarray of float64, shape (n,)
        Samples with a peak of 0.9, without delay.
    """
    from scipy.signal import butter, lfilter

    tight = lfilter(*butter(1, 250, "highpass", fs=rate), x)
    driven = np.tanh(6 * tight + 0.4) - np.tanh(0.4)
    y = lfilter(*butter(2, 1800, "lowpass", fs=rate), driven)
    return _at_peak(y - y.mean())


def sagging_amplifier(x: Floats, rate: int = CLASSIC_RATE) -> Floats:
    """Simulate an amplifier whose supply voltage sags: `amplifier` with a gain that falls while the level is high.

    The gain depends on the mean absolute value of the last 60 ms or so, and no fixed filter or curve has such a memory.
    Parameters and output are those of `amplifier`.
    """
    from scipy.signal import lfilter

    decay = np.exp(-1 / (0.06 * rate))
    level = lfilter([1 - decay], [1, -decay], np.abs(x))
    return amplifier(x / (1 + 12 * level), rate)


def _at_peak(sound: Floats) -> Floats:
    return np.asarray(0.9 * sound / max(np.abs(sound).max(), 1e-9))


def _pluck(frequency: float, seconds: float, rate: int, rng: np.random.Generator) -> Floats:
    from scipy.signal import lfilter

    period = round(rate / frequency)
    noise = np.zeros(round(seconds * rate))
    noise[:period] = rng.uniform(-1, 1, period)
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1, -0.498, -0.498
    return np.asarray(lfilter([1.0], loop, noise))
