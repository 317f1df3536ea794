"""Keeps a network that hears nothing but itself as loud and as unpredictable as the recordings that it learnt from.

Fed with its own samples, a network settles where it is too calm or too loud, and one temperature mends that for one of
the two only. So what was drawn last is measured while more is drawn: its level against the recordings' shifts the next
distribution towards louder or quieter classes, its order-1 entropy sets the temperature. How hot a network has to be
drawn differs from training to training, so an entropy that stays wrong moves the temperature on (PI control).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal import metrics
from dl4j_bridge.tasks.samples import SamplesTask

Indices = npt.NDArray[np.uint8]

# What is measured, and after how many samples anew.
SECONDS, BLOCK = 1.0, 512
# Stretches of the recordings that say what is usual.
STRETCHES = 60
# Logits per class and dB off, and the most of it.
TILT_PER_DB, MOST_TILT = 0.004, 0.1
# Share of the temperature's logarithm per bit off, per bit off for a second, and the most of it. So many bits off are
# let be for however long: seconds of a recording differ as well, and colder audio has another spectrum.
HEAT_PER_BIT, HEAT_PER_BIT_SECOND, MOST_HEAT = 0.5, 0.2, 0.7
LET_BE_BITS = 0.3
SILENT_DB = -90.0


def usual(task: SamplesTask, recordings: list[Indices], rate: int) -> dict[str, float]:
    """What stretches of `SECONDS` of the recordings are like.

    Parameters
    ----------
    task
        Decodes the classes.
    recordings : list of ndarray of uint8, shape (n,)
    rate
        In Hz.

    Returns
    -------
    dict
        Medians of ``level_db`` (root mean square; 0 dB is full scale) and of ``order_1_bits``.
    """
    size = min(round(SECONDS * rate), min(x.size for x in recordings))
    # Longer recordings have more to say.
    lengths = np.cumsum([x.size - size + 1 for x in recordings])
    measured = []
    for at in np.linspace(0, lengths[-1] - 1, STRETCHES).astype(int):
        which = int(np.searchsorted(lengths, at, side="right"))
        start = at - (int(lengths[which - 1]) if which else 0)
        measured.append(_measure(task, recordings[which][start : start + size]))
    level, bits = np.median(measured, axis=0)
    return {"level_db": float(level), "order_1_bits": float(bits)}


class Steering:
    """Temperature and tilt of what is drawn next.

    Parameters
    ----------
    task
        Decodes the classes.
    rate
        In Hz.
    wanted
        As `usual` gives it.
    temperature
        Where nothing is to be mended.
    """

    def __init__(self, task: SamplesTask, rate: int, wanted: dict[str, float], temperature: float) -> None:
        self._task, self._rate, self._wanted, self._temperature = task, rate, wanted, temperature
        self._size = max(round(SECONDS * rate), 2)
        self._last: Indices = np.zeros(0, np.uint8)
        self._tilt = self._heat = self._lasting_heat = 0.0

    def hear(self, block: Indices) -> None:
        """Take note of what was drawn."""
        self._last = np.concatenate([self._last, block])[-self._size :]
        # Of fewer samples the entropy cannot be told.
        if self._last.size < self._size:
            return
        level, bits = _measure(self._task, self._last)
        self._tilt = _limited(TILT_PER_DB * (self._wanted["level_db"] - level), MOST_TILT)
        missing, seconds = self._wanted["order_1_bits"] - bits, block.size / self._rate
        too_much = missing - _limited(missing, LET_BE_BITS)
        self._lasting_heat = _limited(self._lasting_heat + HEAT_PER_BIT_SECOND * seconds * too_much, MOST_HEAT)
        self._heat = _limited(HEAT_PER_BIT * missing + self._lasting_heat, MOST_HEAT)

    def next(self) -> tuple[float, float]:
        """Temperature and tilt, as `SampleStream.generate` takes them."""
        return self._temperature * math.exp(self._heat), self._tilt


def _measure(task: SamplesTask, indices: Indices) -> tuple[float, float]:
    power = float(np.mean(task.to_samples(indices) ** 2))
    level = max(10 * math.log10(power), SILENT_DB) if power else SILENT_DB
    return level, metrics.order_1_entropy_bits(indices)


def _limited(value: float, most: float) -> float:
    return max(min(value, most), -most)
