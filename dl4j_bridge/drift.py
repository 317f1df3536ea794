"""Does a network that feeds on its own output stay with the recording that it learnt from?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import metrics
from dl4j_bridge.tasks.samples import SamplesTask

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# Parts of what was generated, each judged by itself.
PARTS = 5
# Stretches of the recording, as long as a part, that say what is usual there.
USUAL = 40
# Of a long recording so many seconds are looked at.
MOST_SECONDS = 1000
SILENT_DB = -90.0


def measure(task: SamplesTask, generated: Indices, recording: Indices, rate: int) -> dict[str, Any]:
    """Follow level, entropy and spectrum of free-running output over time.

    Parameters
    ----------
    task
        Decodes the classes.
    generated : ndarray of uint8, shape (n,)
    recording : ndarray of uint8, shape (m,)
        What the network learnt from.
    rate
        In Hz.

    Returns
    -------
    dict
        ``recording`` and ``parts``, in order: dicts of ``seconds`` (where a part begins), ``level_db`` (root mean
        square; 0 dB is a square wave at full scale, None is silence), ``entropy_bits`` (of single samples) and
        ``spectrum_db`` (log-spectral distance from the recording's mean power spectrum: root mean square over
        frequencies). ``recording`` has the medians over stretches of the recording that are as long as a part: short
        stretches of it differ from its mean as well. Then ``track``, the same for each second; ``range``, the least
        and the most of each over the seconds of the recording; and ``outside``, the share of the generated seconds
        that lie beyond, of each and of ``any``. These are empty where there is no whole second.
    """
    size = max(min(generated.size // PARTS, recording.size), 1)
    starts = np.linspace(0, recording.size - size, USUAL).astype(int)
    stretches = [recording[start : start + size] for start in starts]
    mean = np.mean([_spectrum(task, stretch, rate) for stretch in stretches], axis=0)
    usual = [_facts(task, stretch, rate, mean) for stretch in stretches]
    parts = range(0, size * min(PARTS, generated.size), size)
    return {
        "recording": {name: _median([facts[name] for facts in usual]) for name in usual[0]},
        "parts": [
            {"seconds": start / rate, **_facts(task, generated[start : start + size], rate, mean)} for start in parts
        ],
        **_second_by_second(task, generated, recording, rate, mean),
    }


def _second_by_second(
    task: SamplesTask, generated: Indices, recording: Indices, rate: int, mean: Floats
) -> dict[str, Any]:
    """``track``, ``range`` and ``outside`` of `measure`."""
    if min(generated.size, recording.size) < rate:
        return {"track": [], "range": {}, "outside": {}}
    starts = np.linspace(0, recording.size - rate, min(recording.size // rate, MOST_SECONDS)).astype(int)
    known = [_facts(task, recording[start : start + rate], rate, mean) for start in starts]
    track = [
        _facts(task, generated[start : start + rate], rate, mean) for start in range(0, generated.size - rate + 1, rate)
    ]
    limits = {name: _limits([facts[name] for facts in known]) for name in known[0]}
    off = {
        name: np.array([not low <= _number(facts[name]) <= high for facts in track])
        for name, (low, high) in limits.items()
    }
    outside = off | {"any": np.any(list(off.values()), axis=0)}
    return {
        "track": track,
        "range": limits,
        "outside": {name: float(np.mean(share)) for name, share in outside.items()},
    }


def _limits(values: list[float | None]) -> tuple[float, float]:
    numbers = [_number(value) for value in values]
    return min(numbers), max(numbers)


def _number(value: float | None) -> float:
    """Silence has a level, lest it be in no range."""
    return SILENT_DB if value is None else value


def _facts(task: SamplesTask, indices: Indices, rate: int, mean: Floats) -> dict[str, float | None]:
    power = float(np.mean(task.to_samples(indices) ** 2))
    decibels = 10 * np.log10(_spectrum(task, indices, rate) / mean)
    return {
        "level_db": 10 * math.log10(power) if power else None,
        "entropy_bits": metrics.entropy_bits(indices),
        "spectrum_db": float(np.sqrt(np.mean(decibels**2))),
    }


def _spectrum(task: SamplesTask, indices: Indices, rate: int) -> Floats:
    """Welch's power spectral density, on top of what rounding to 8 bits makes: below that there is nothing to see."""
    from scipy.signal import welch

    _, density = welch(task.to_samples(indices), rate, nperseg=min(1024, indices.size), detrend=False)
    return np.asarray(density + (2 / task.classes) ** 2 / 12 / (rate / 2), np.float64)


def _median(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else None
