"""New audio from a network of the next class: temperature, steering, calibration."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import SILENCE
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks.samples import steering

Indices = npt.NDArray[np.uint8]

# What a network consumes where nothing else comes before the generated samples.
SILENT_PRIMER: Indices = np.array([SILENCE], np.uint8)
# Samples that a temperature is evaluated on, number of temperatures that are tried, and their range.
CALIBRATION_SAMPLES, CALIBRATION_TRIES = 24_576, 6
TEMPERATURES = (0.6, 1.5)


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
        Goals of the steering, see `steering.usual`; None in files of older versions.
    """

    temperature: float
    order_1_bits: float | None = None
    wanted_bits: float | None = None
    usual: dict[str, float] | None = None

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Read what `as_dict` stored.

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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(stream: SampleStream, recordings: list[Indices], decode: steering.Decode, rate: int) -> Sampling:
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
    return Sampling(best, tried[best], wanted, steering.usual(decode, recordings, rate))


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
