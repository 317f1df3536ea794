"""Healthy effects: a network can learn each of them from the pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.signal import butter, iirpeak, lfilter, oaconvolve

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal.codecs import LINEAR, MULAW
from scoreboard.sounds import Floats

Effect = Callable[[Floats, int], Floats]


def _filter(order: int, hertz: Any, kind: Any = "lowpass") -> Effect:
    def effect(x: Floats, rate: int) -> Floats:
        return np.asarray(lfilter(*butter(order, np.minimum(hertz, 0.42 * rate), kind, fs=rate), x), np.float64)

    return effect


def _level(x: Floats, rate: int, attack: float, release: float) -> Floats:
    """Peak level with separate times to rise and to fall, in seconds; the rise is that of the fast one-pole filter."""
    up, down = (np.exp(-1 / (seconds * rate)) for seconds in (attack, release))
    fast = lfilter([1 - up], [1, -up], np.abs(x))
    slow = lfilter([1 - down], [1, -down], fast)
    return np.asarray(np.maximum(fast, slow))


def compressor(x: Floats, rate: int) -> Floats:
    """Ratio 4:1 above -26 dB."""
    over = np.maximum(_level(x, rate, 0.005, 0.06) / 0.05, 1)
    return np.asarray(x * over**-0.75)


def limiter(x: Floats, rate: int) -> Floats:
    """All that exceeds 0.3 is turned down at once."""
    return np.asarray(x / np.maximum(_level(x, rate, 0.001, 0.03) / 0.3, 1))


def gate(x: Floats, rate: int) -> Floats:
    """Closes below -46 dB."""
    level = _level(x, rate, 0.003, 0.05)
    return np.asarray(x * np.clip((level / 0.005) ** 2, 0, 1))


def cabinet(x: Floats, rate: int) -> Floats:
    """Resonances of a loudspeaker, with a high-pass and a low-pass filter."""
    y = lfilter(*butter(2, 90, "highpass", fs=rate), x)
    for hertz, q, gain in ((120, 2, 1.0), (420, 3, -0.4), (1300, 2, 0.5), (2700, 3, 0.8)):
        if hertz < 0.4 * rate:
            y = y + gain * lfilter(*iirpeak(hertz, q, fs=rate), y)
    return np.asarray(lfilter(*butter(3, min(4500, 0.42 * rate), fs=rate), y))


def short_reverb(x: Floats, rate: int) -> Floats:
    """Decays by 60 dB in 40 ms."""
    n = round(0.04 * rate)
    tail = np.random.default_rng(3).normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    return np.asarray(0.75 * x + 0.25 * oaconvolve(x, tail / np.linalg.norm(tail))[: x.size], np.float64)


def _coupled(y: Floats, rate: int) -> Floats:
    """Without offset, in rests neither: through a capacitor."""
    return np.asarray(lfilter(*butter(1, 15, "highpass", fs=rate), y - y[0]))


def _amplifier(x: Floats, rate: int) -> Floats:
    return _coupled(synthesis.amplifier(x, rate), rate)


def late(y: Floats, delay: float) -> Floats:
    """Delay by any number of samples; negative: earlier. What is missing at either end is silent."""
    if delay == int(delay):
        n = int(delay)
        shifted = np.zeros_like(y)
        shifted[max(n, 0) : y.size + min(n, 0)] = y[max(-n, 0) : y.size - max(n, 0)]
        return shifted
    pad = 64 + int(abs(delay))
    padded = np.r_[np.zeros(pad), y, np.zeros(pad)]
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(padded.size) * delay)
    return np.asarray(np.fft.irfft(np.fft.rfft(padded) * turn, padded.size)[pad : pad + y.size])


EFFECTS: dict[str, Effect] = {
    "identity": lambda x, rate: x,
    "gain": lambda x, rate: 0.4 * x,
    "one-pole": _filter(1, 2500),
    "low-pass-2": _filter(2, 1800),
    "low-pass-4": _filter(4, 1500),
    "high-pass": _filter(2, 400, "highpass"),
    "band-pass": _filter(1, (300, 2200), "bandpass"),
    "soft": lambda x, rate: 0.8 * np.tanh(3 * x),
    "hard": lambda x, rate: np.clip(3 * x, -0.6, 0.6),
    "asymmetric": lambda x, rate: _coupled(0.6 * np.tanh(4 * x + 0.5), rate),
    "fuzz": lambda x, rate: _coupled(0.7 * np.tanh(60 * x + 0.3), rate),
    "compressor": compressor,
    "limiter": limiter,
    "gate": gate,
    "cabinet": cabinet,
    "short-reverb": short_reverb,
    "8-bit": lambda x, rate: LINEAR.decode(LINEAR.encode(x)).astype(float),
    "mu-law": lambda x, rate: MULAW.decode(MULAW.encode(x)).astype(float),
    "amplifier": _amplifier,
    "amplifier-cabinet": lambda x, rate: cabinet(_amplifier(x, rate), rate),
    "soft-one-pole": lambda x, rate: _filter(1, 2000)(np.tanh(3 * x), rate),
    "late-amplifier": lambda x, rate: late(_amplifier(x, rate), 211),
    "late-soft": lambda x, rate: late(0.8 * np.tanh(3 * x), 100.5),
    "late-compressor": lambda x, rate: late(np.tanh(3 * compressor(x, rate)), 211),
    "late-one-pole": lambda x, rate: late(_filter(1, 2500)(x, rate), 58.8),
}
# Effects that have a delay, which `--align auto` cuts out.
DELAYING = ("late-amplifier", "late-soft", "late-compressor", "late-one-pole")


def through(name: str, x: Floats, rate: int) -> Floats:
    """Run a recording through an effect at a peak of 0.9, then scale both the same way back to its level."""
    peak = max(float(np.abs(x).max()), 1e-9)
    y = EFFECTS[name](0.9 / peak * x, rate)
    # Above full scale, the wav would clip it.
    y = peak / 0.9 * y * min(1.0, 0.95 / max(float(np.abs(y).max()), 1e-9))
    return np.asarray(y * min(1.0, 0.98 / max(float(np.abs(y).max()), 1e-9)))
