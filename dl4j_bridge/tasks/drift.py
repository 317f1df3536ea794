"""Drift of free-running output away from the recording that the network was trained on."""

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

# Number of parts of generated output that are measured separately.
PARTS = 5
# Number of stretches of the recording, as long as a part, that are measured for comparison.
USUAL = 40
# Maximum number of seconds of a recording that are measured for comparison with each second of generated output.
MOST_SECONDS = 1000
SILENT_DB = -90.0
# Power of the rounding error of 8 bits; weaker sound counts as silent.
FLOOR = (2 / 256) ** 2 / 12

# Number of seconds of the recording that `until` uses.
SECONDS = 200
# Number of consecutive unlike seconds after which generated output has drifted.
LASTING = 3
# Margin around the range of the recording, because no two seconds are exactly alike.
MARGIN_DB = 1.0


def measure(
    generated: Signal, recording: Signal, rate: int, decode: Callable[[Signal], Sound] | None = None
) -> dict[str, Any]:
    """Measure the level, the entropy and the spectrum of free-running output over time.

    Parameters
    ----------
    generated : ndarray, shape (n,)
        Generated class indices (uint8) or float samples.
    recording : ndarray, shape (m,)
        Training part of the recording, of the same kind.
    rate
        Sample rate in Hz.
    decode
        Function from class indices to float samples; None for float samples.

    Returns
    -------
    dict
        Always has

        - ``parts``: a dict for each part of the output in order, with ``seconds`` (start of the part), ``level_db``
          (root mean square; 0 dB is a square wave at full scale, None is silence), ``entropy_bits`` (order-0 entropy;
          only for classes) and ``spectrum_db`` (log-spectral distance from the mean power spectrum of the recording:
          root mean square over frequencies);
        - ``recording``: the medians of the same values over stretches of the recording as long as a part, because
          short stretches of a recording differ from its mean as well.

        For class indices it also has

        - ``track``: the same values for each second of the output;
        - ``range``: the minimum and the maximum of each value over seconds of the recording;
        - ``outside``: the share of the seconds of the output outside that range, for each value and for ``any``.

        These three are empty if the output or the recording is shorter than a second.
    """
    decode = decode or (lambda sound: np.asarray(sound, np.float64))
    size = max(min(len(generated) // PARTS, len(recording)), 1)
    stretches = _spread(recording, size, USUAL)
    mean = np.mean([_spectrum(decode(stretch), rate) for stretch in stretches], axis=0)

    def facts(signal: Signal) -> dict[str, float | None]:
        sound = decode(signal)
        power = _power(sound)
        entropy = {"entropy_bits": metrics.entropy_bits(signal)} if signal.dtype == np.uint8 else {}
        level = 10 * math.log10(power) if power else None
        return {"level_db": level, **entropy, "spectrum_db": _distance(_spectrum(sound, rate), mean)}

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
    track = [facts(second) for second in _seconds(generated, rate)]
    limits, outside = {}, {}
    for name in known[0]:
        usual, found = _numbers(known, name), _numbers(track, name)
        limits[name] = (float(usual.min()), float(usual.max()))
        outside[name] = ~((usual.min() <= found) & (found <= usual.max()))
    outside["any"] = np.any(list(outside.values()), axis=0)
    shares = {name: float(np.mean(seconds)) for name, seconds in outside.items()}
    return {"track": track, "range": limits, "outside": shares}


def _numbers(rows: list[dict[str, float | None]], name: str) -> Floats:
    """Values of a column; silence gets a level, so that it can be inside a range."""
    return np.array([SILENT_DB if row[name] is None else row[name] for row in rows], np.float64)


def _seconds(sound: Signal, rate: int) -> list[Signal]:
    return [sound[start : start + rate] for start in range(0, sound.size - rate + 1, rate)]


def until(generated: Sound, recording: Sound, rate: int) -> int | None:
    """Find the time until free-running output drifts away from the recording.

    A second of sound is unlike the recording if its level, its spectral flatness (0 dB for white noise) or its
    log-spectral distance from the mean power spectrum of the recording is outside the range of the seconds of the
    recording, widened by `MARGIN_DB`. The output has drifted at the first of `LASTING` such seconds in a row.

    Parameters
    ----------
    generated : ndarray of float, shape (n,)
        Generated samples.
    recording : ndarray of float, shape (m,)
        Recording that the network was trained on.
    rate
        Sample rate in Hz.

    Returns
    -------
    int or None
        Time in seconds; None if the output has not drifted by its end. 0 if it is unlike the recording from the start.
    """
    unlike = unlikeness(_seconds(generated, rate), recording, rate)
    return next((at for at in range(len(unlike) - LASTING + 1) if all(unlike[at : at + LASTING])), None)


def unlikeness(seconds: list[Sound], recording: Sound, rate: int) -> list[bool]:
    """Return for each second of sound whether it is unlike the recording, as `until` defines it.

    Parameters
    ----------
    seconds : list of ndarray of float, shape (rate,)
        Seconds of sound to compare.
    recording : ndarray of float, shape (m,)
        Recording that the network was trained on.
    rate
        Sample rate in Hz.
    """
    usual = _spread(recording, min(rate, recording.size), SECONDS)
    mean = np.mean([_spectrum(stretch, rate) for stretch in usual], axis=0)
    features = np.array([_features(stretch, rate, mean) for stretch in usual])
    low, high = features.min(axis=0) - MARGIN_DB, features.max(axis=0) + MARGIN_DB
    # A distance from the mean spectrum cannot be too small.
    low[1] = 0
    found = [_features(second, rate, mean) for second in seconds]
    return [bool(np.any((f < low) | (f > high) | ~np.isfinite(f))) for f in found]


def _features(sound: Sound, rate: int, mean: Floats) -> Floats:
    """Level, log-spectral distance and spectral flatness, in dB; shape (3,)."""
    spectrum = _spectrum(sound, rate)
    flatness = 10 * (np.mean(np.log10(spectrum)) - np.log10(np.mean(spectrum)))
    return np.array([10 * math.log10(_power(sound) + FLOOR), _distance(spectrum, mean), flatness])


def _power(sound: Sound) -> float:
    return float(np.mean(np.square(sound, dtype=np.float64)))


def _distance(spectrum: Floats, mean: Floats) -> float:
    """Log-spectral distance: root mean square over frequencies, in dB."""
    return float(np.sqrt(np.mean((10 * np.log10(spectrum / mean)) ** 2)))


def _spectrum(sound: Sound, rate: int) -> Floats:
    """Welch's power spectral density plus that of the rounding error of 8 bits, which keeps silent bands finite."""
    from scipy.signal import welch

    _, density = welch(sound, rate, nperseg=min(1024, sound.size), detrend=False)
    return np.asarray(density + FLOOR / (rate / 2), np.float64)


def _spread(recording: Signal, size: int, count: int) -> list[Signal]:
    return [recording[start : start + size] for start in starts(len(recording), size, count)]


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
