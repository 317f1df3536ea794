"""Does a network that feeds on its own output stay with the recording that it learnt from?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.stretches import starts

# Class indices, uint8 of shape (n,), or float samples of the same shape.
Signal = npt.NDArray[Any]
Sound = npt.NDArray[np.floating]
Floats = npt.NDArray[np.float64]

# Parts of what was generated, each judged by itself.
PARTS = 5
# Stretches of the recording, as long as a part, that say what is usual there.
USUAL = 40
# Of a long recording so many seconds are looked at.
MOST_SECONDS = 1000
SILENT_DB = -90.0
# Power of what rounding to 8 bits adds: what is weaker counts as silent.
FLOOR = (2 / 256) ** 2 / 12

# Seconds of the recording that `until` looks at, how many of generated sound must be unlike all of these before it
# has drifted, and by how much in dB: no second is quite like another.
SECONDS = 200
LASTING = 3
MARGIN_DB = 1.0


def measure(
    generated: Signal, recording: Signal, rate: int, decode: Callable[[Signal], Sound] | None = None
) -> dict[str, Any]:
    """Follow level, entropy and spectrum of free-running output over time.

    Parameters
    ----------
    generated : ndarray, shape (n,)
        Class indices (uint8) or float samples.
    recording : ndarray, shape (m,)
        The training part of the recording, of the same kind.
    rate
        Sample rate in Hz.
    decode
        From class indices to float samples; None for float samples.

    Returns
    -------
    dict
        ``recording`` and ``parts``, in order: dicts of ``seconds`` (where a part begins), ``level_db`` (root mean
        square; 0 dB is a square wave at full scale, None is silence), ``entropy_bits`` (of single samples; classes
        only) and ``spectrum_db`` (log-spectral distance from the recording's mean power spectrum: root mean square
        over frequencies). ``recording`` has the medians over stretches of the recording that are as long as a part:
        short stretches of it differ from its mean as well. With classes there are also ``track``, the same values for
        each second; ``range``, the minimum and the maximum of each over the seconds of the recording; and ``outside``,
        the share of the generated seconds out of that range, for each value and for ``any`` of them. These are empty
        where there is no whole second.
    """
    decode = decode or _as_floats
    size = max(min(len(generated) // PARTS, len(recording)), 1)
    stretches = _spread(recording, size, USUAL)
    mean = np.mean([_spectrum(decode(stretch), rate) for stretch in stretches], axis=0)

    def facts(signal: Signal) -> dict[str, float | None]:
        return _facts(signal, decode(signal), rate, mean)

    usual = [facts(stretch) for stretch in stretches]
    parts = range(0, size * min(PARTS, len(generated)), size)
    return {
        "recording": {name: _median([found[name] for found in usual]) for name in usual[0]},
        "parts": [{"seconds": start / rate, **facts(generated[start : start + size])} for start in parts],
        **(_second_by_second(generated, recording, rate, facts) if generated.dtype == np.uint8 else {}),
    }


def _second_by_second(
    generated: Signal, recording: Signal, rate: int, facts: Callable[[Signal], dict[str, float | None]]
) -> dict[str, Any]:
    """``track``, ``range`` and ``outside`` of `measure`."""
    if min(generated.size, recording.size) < rate:
        return {"track": [], "range": {}, "outside": {}}
    known = [facts(second) for second in _spread(recording, rate, min(recording.size // rate, MOST_SECONDS))]
    track = [facts(generated[start : start + rate]) for start in range(0, generated.size - rate + 1, rate)]
    limits = {name: _limits([found[name] for found in known]) for name in known[0]}
    off = {
        name: np.array([not low <= _number(found[name]) <= high for found in track])
        for name, (low, high) in limits.items()
    }
    outside = off | {"any": np.any(list(off.values()), axis=0)}
    return {
        "track": track,
        "range": limits,
        "outside": {name: float(np.mean(share)) for name, share in outside.items()},
    }


def _as_floats(sound: Signal) -> Sound:
    return np.asarray(sound, np.float64)


def _limits(values: list[float | None]) -> tuple[float, float]:
    numbers = [_number(value) for value in values]
    return min(numbers), max(numbers)


def _number(value: float | None) -> float:
    """Silence has a level, lest it be in no range."""
    return SILENT_DB if value is None else value


def until(generated: Sound, recording: Sound, rate: int) -> int | None:
    """Find when free-running output left the recording for good: the time until drift.

    A second of sound is unlike the recording if its level, its spectral flatness (that of noise is 0 dB), or the
    log-spectral distance from the recording's mean power spectrum is outside the range that seconds of the recording
    have, `MARGIN_DB` apart. The output has drifted at the first of `LASTING` such seconds in a row.

    Parameters
    ----------
    generated : ndarray of float, shape (n,)
    recording : ndarray of float, shape (m,)
        What the network learnt from.
    rate
        In Hz.

    Returns
    -------
    int or None
        In seconds; None if it stayed to the end. 0 is a network that never was with the recording.
    """
    seconds = [generated[at : at + rate] for at in range(0, generated.size - rate + 1, rate)]
    run = 0
    for number, unlike in enumerate(unlikeness(seconds, recording, rate)):
        run = run + 1 if unlike else 0
        if run == LASTING:
            return number + 1 - LASTING
    return None


def unlikeness(seconds: list[Sound], recording: Sound, rate: int) -> list[bool]:
    """Say of each second of sound whether it is unlike all seconds of the recording; see `until`."""
    usual = _spread(recording, min(rate, recording.size), SECONDS)
    mean = np.mean([_spectrum(stretch, rate) for stretch in usual], axis=0)
    features = np.array([_features(stretch, rate, mean) for stretch in usual])
    low, high = features.min(axis=0) - MARGIN_DB, features.max(axis=0) + MARGIN_DB
    # No second is too near the mean.
    low[1] = 0
    found = [np.array(_features(second, rate, mean)) for second in seconds]
    return [bool(np.any((f < low) | (f > high) | ~np.isfinite(f))) for f in found]


def _features(sound: Sound, rate: int, mean: Floats) -> tuple[float, float, float]:
    power = float(np.mean(sound.astype(np.float64) ** 2))
    spectrum = _spectrum(sound, rate)
    flatness = 10 * (np.mean(np.log10(spectrum)) - np.log10(np.mean(spectrum)))
    return 10 * math.log10(power + FLOOR), _distance(sound, rate, mean), float(flatness)


def _facts(signal: Signal, sound: Sound, rate: int, mean: Floats) -> dict[str, float | None]:
    power = float(np.mean(np.square(sound, dtype=np.float64)))
    entropy = {"entropy_bits": metrics.entropy_bits(signal)} if signal.dtype == np.uint8 else {}
    return {
        "level_db": 10 * math.log10(power) if power else None,
        **entropy,
        "spectrum_db": _distance(sound, rate, mean),
    }


def _distance(sound: Sound, rate: int, mean: Floats) -> float:
    """Log-spectral distance: root mean square over frequencies, in dB."""
    decibels = 10 * np.log10(_spectrum(sound, rate) / mean)
    return float(np.sqrt(np.mean(decibels**2)))


def _spectrum(sound: Sound, rate: int) -> Floats:
    """Welch's power spectral density, on top of what rounding to 8 bits makes: below that there is nothing to see."""
    from scipy.signal import welch

    _, density = welch(sound, rate, nperseg=min(1024, sound.size), detrend=False)
    return np.asarray(density + FLOOR / (rate / 2), np.float64)


def _spread(recording: Signal, size: int, count: int) -> list[Signal]:
    return [recording[start : start + size] for start in starts(len(recording), size, count)]


def _median(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else None
