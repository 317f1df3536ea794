"""New audio from a network of the next class: temperature, steering, calibration."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import SILENCE
from dl4j_bridge.signal.stretches import starts

Indices = npt.NDArray[np.uint8]
Decode = Callable[[Indices], npt.NDArray[np.floating]]

# What a network consumes where nothing else comes before the generated samples.
SILENT_PRIMER: Indices = np.array([SILENCE], np.uint8)
# Samples that a temperature is evaluated on, number of temperatures that are tried, and their range.
CALIBRATION_SAMPLES, CALIBRATION_TRIES = 24_576, 6
TEMPERATURES = (0.6, 1.5)

# Length of the audio that is measured, and number of samples between measurements.
SECONDS, STEERED_BLOCK = 1.0, 512
# Number of stretches of the recordings whose median is the goal.
STRETCHES = 60
# Change of the logits per class and dB of difference, and its maximum.
TILT_PER_DB, MOST_TILT = 0.004, 0.1
# Change of the logarithm of the temperature per bit of difference, the same per bit and second, and its maximum. The
# second has a dead band, because seconds of a recording differ as well and the temperature changes the spectrum.
HEAT_PER_BIT, HEAT_PER_BIT_SECOND, MOST_HEAT = 0.5, 0.2, 0.7
DEAD_BAND_BITS = 0.3
SILENT_DB = -90.0


@dataclass(frozen=True)
class Sampling:
    """What the end of training measures for `generate`.

    Attributes
    ----------
    temperature
        At which the network's own audio has the order-1 entropy of the recordings.
    order_1_bits, wanted_bits
        That entropy, and the recordings'.
    usual
        Goals of the steering, see `usual`; None in files of older versions.
    """

    temperature: float
    order_1_bits: float | None = None
    wanted_bits: float | None = None
    usual: dict[str, float] | None = None

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Read what a model file stores of it.

        Raises
        ------
        ValueError, TypeError, KeyError
            A value is missing or not finite.
        """
        found = cls(**{name: stored.get(name) for name in ("temperature", "order_1_bits", "wanted_bits", "usual")})  # type: ignore[arg-type]
        goals = [] if found.usual is None else [found.usual[name] for name in ("level_db", "order_1_bits")]
        if not 0 < found.temperature < float("inf") or not all(abs(goal) < float("inf") for goal in goals):
            raise ValueError(f"sampling {str(stored)[:40]}, not finite")
        return found


def calibrate(stream: SampleStream, recordings: list[Indices], decode: Decode, rate: int) -> Sampling:
    """Find the temperature at which a model's own audio is as unpredictable as the recordings.

    A model that is fed its own samples sees other contexts than in training, and settles where it is too quiet or too
    loud. Order-1 entropy grows with the temperature, so bisection finds where it is right.

    Parameters
    ----------
    stream
        Stream of the network; it is reset.
    recordings : list of ndarray of uint8
        The recordings of training.
    decode
        From classes to float samples.
    rate
        Sample rate in Hz.
    """
    size = min(CALIBRATION_SAMPLES, min(x.size for x in recordings))
    pieces = [x[at : at + size] for x in recordings for at in starts(x.size, size, 4)]
    wanted = float(np.mean([metrics.order_1_entropy_bits(piece) for piece in pieces]))
    low, high = TEMPERATURES
    tried = {}
    for _ in range(CALIBRATION_TRIES):
        temperature = math.sqrt(low * high)
        tried[temperature] = metrics.order_1_entropy_bits(own_audio(stream, size, temperature))
        low, high = (temperature, high) if tried[temperature] < wanted else (low, temperature)
    best = min(tried, key=lambda temperature: abs(tried[temperature] - wanted))
    return Sampling(best, tried[best], wanted, usual(decode, recordings, rate))


def prime(stream: SampleStream, seed: int, primer: Indices) -> None:
    """Reset a stream, set its random seed, and let it consume a primer."""
    stream.reset()
    stream.seed(seed)
    stream.consume(primer)


def own_audio(stream: SampleStream, size: int, temperature: float) -> Indices:
    """Generate `size` samples from silence, always the same ones; the stream is reset."""
    prime(stream, 1, SILENT_PRIMER)
    counts = [min(SampleStream.BLOCK, size - at) for at in range(0, size, SampleStream.BLOCK)]
    return np.concatenate([stream.generate(count, temperature, 1.0) for count in counts])


def usual(decode: Decode, recordings: list[Indices], rate: int) -> dict[str, float]:
    """Compute the median level and entropy of stretches of `SECONDS` of the recordings.

    Parameters
    ----------
    decode
        Function from class indices to float samples.
    recordings : list of ndarray of uint8, shape (n,)
        Recordings as class indices.
    rate
        Sample rate in Hz.

    Returns
    -------
    dict
        Medians of ``level_db`` (root mean square; 0 dB is full scale) and ``order_1_bits`` (order-1 entropy).
    """
    size = min(round(SECONDS * rate), min(x.size for x in recordings))
    # Stretches are spread over all recordings together, so longer recordings have more of them.
    lengths = np.cumsum([x.size - size + 1 for x in recordings])
    measured = []
    for at in starts(lengths[-1], 1, STRETCHES):
        which = int(np.searchsorted(lengths, at, side="right"))
        start = at - (int(lengths[which - 1]) if which else 0)
        measured.append(_measure(decode, recordings[which][start : start + size]))
    level, bits = np.median(measured, axis=0)
    return {"level_db": float(level), "order_1_bits": float(bits)}


class Steering:
    """Keeps free-running output at the level and the entropy of the recordings that the network was trained on.

    A network that is fed its own samples becomes too quiet or too loud, and the temperature can correct only one of
    level and entropy. So the last second of generated audio is measured after each block: the difference of its level
    from that of the recordings shifts the next distributions towards louder or quieter classes (the tilt), and the
    difference of its order-1 entropy sets the temperature. The temperature that a network needs differs between
    trainings, so a lasting difference changes the temperature further (PI control).

    Parameters
    ----------
    decode
        Function from class indices to float samples.
    rate
        Sample rate in Hz.
    wanted
        Goal for level and entropy, as `usual` returns it.
    temperature
        Temperature while level and entropy are at the goal.
    """

    def __init__(self, decode: Decode, rate: int, wanted: dict[str, float], temperature: float) -> None:
        self._decode, self._rate, self._wanted, self._temperature = decode, rate, wanted, temperature
        self._size = max(round(SECONDS * rate), 2)
        self._last: Indices = np.zeros(0, np.uint8)
        self._tilt = self._heat = self._lasting_heat = 0.0

    def observe(self, block: Indices) -> None:
        """Update the temperature and the tilt from generated samples, class indices of shape (n,)."""
        self._last = np.concatenate([self._last, block])[-self._size :]
        # The entropy of fewer samples is not comparable.
        if self._last.size < self._size:
            return
        level, bits = _measure(self._decode, self._last)
        self._tilt = _limited(TILT_PER_DB * (self._wanted["level_db"] - level), MOST_TILT)
        missing, seconds = self._wanted["order_1_bits"] - bits, block.size / self._rate
        too_much = missing - _limited(missing, DEAD_BAND_BITS)
        self._lasting_heat = _limited(self._lasting_heat + HEAT_PER_BIT_SECOND * seconds * too_much, MOST_HEAT)
        self._heat = _limited(HEAT_PER_BIT * missing + self._lasting_heat, MOST_HEAT)

    def next(self) -> tuple[float, float]:
        """Return the temperature and the tilt for `SampleStream.generate`."""
        return self._temperature * math.exp(self._heat), self._tilt


def _measure(decode: Decode, indices: Indices) -> tuple[float, float]:
    power = float(np.mean(decode(indices) ** 2))
    level = max(10 * math.log10(power), SILENT_DB) if power else SILENT_DB
    return level, metrics.order_1_entropy_bits(indices)


def _limited(value: float, most: float) -> float:
    return max(min(value, most), -most)
