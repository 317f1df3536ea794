"""8-bit samples as 256 classes: the target's sample from the input's (an effect), or the next one from the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.settings.config import DataSettings, TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.audio import Recording
from dl4j_bridge.signal.codec import CLASSES, SILENCE, Codec, DeEmphasis, PreEmphasis, get_codec
from dl4j_bridge.signal.pairs import Pair

Indices = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SamplesTask:
    """Classes from float samples and back.

    Attributes
    ----------
    codec
        The quantiser.
    pre_emphasis
        Coefficient of the filter in front of it; 0 for none.
    predicts
        ``target``: the processed sample at the same time. ``next``: the next sample of the same recording.
    """

    codec: Codec
    pre_emphasis: float
    predicts: str

    name: ClassVar[str] = "samples"
    loss: ClassVar[str] = "bits"
    learnt: ClassVar[tuple[str, ...]] = ("bits", "accuracy")
    judged: ClassVar[tuple[str, ...]] = ("bits", "accuracy", "esr")
    # Of 10,000 samples not one is in doubt. Rare loud samples come last, and weigh most in ESR.
    solved: ClassVar[float] = 1e-4
    classes = CLASSES
    silence = SILENCE
    hop = 1

    @classmethod
    def choose(cls, settings: DataSettings, source_is_8_bit: bool, has_target: bool) -> SamplesTask:
        """Make the task that the settings and the recordings ask for."""
        codec = get_codec(settings.codec, source_is_8_bit)
        return cls(codec, settings.pre_emphasis, "target" if has_target else "next")

    @classmethod
    def of_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> SamplesTask:
        """Make the task that the settings and these recordings ask for."""
        sources = [recording for pair in pairs for recording in (pair.input, pair.target) if recording]
        return cls.choose(settings.data, all(source.is_8_bit for source in sources), pairs[0].target is not None)

    @property
    def interface(self) -> Interface:
        return Interface.of_classes(CLASSES)

    def in_words(self) -> str:
        return f"{self.codec.name} codec"

    def as_dict(self) -> dict[str, Any]:
        """What a model file says of the task."""
        return {
            "task": self.name,
            "codec": self.codec.name,
            "pre_emphasis": self.pre_emphasis,
            "predicts": self.predicts,
            "classes": CLASSES,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> SamplesTask:
        return cls(get_codec(stored["codec"]), float(stored["pre_emphasis"]), stored["predicts"])

    def encoder(self) -> Encoder:
        return Encoder(self)

    def decoder(self, decode: str = "auto", seed: int = 0) -> Decoder:
        return Decoder(self, decode, seed)

    def encode(self, recording: Recording, rate: int) -> Indices:
        """Read a whole recording into class indices: one byte a sample, whatever its length.

        Returns
        -------
        ndarray of uint8, shape (recording.length_at(rate),)
        """
        encoder = self.encoder()
        indices = np.empty(recording.length_at(rate), np.uint8)
        at = 0
        for block in recording.blocks(rate):
            indices[at : at + block.size] = encoder.push(block)
            at += block.size
        return indices

    def signals(self, pair: Pair) -> tuple[Indices, Indices]:
        """What goes in and what should come out, sample by sample, the delay cut out; views."""
        source = self.encode(pair.input, pair.rate)[pair.input_start :][: pair.length]
        if pair.target is None:
            return self.input_and_target(source, None)
        return self.input_and_target(source, self.encode(pair.target, pair.rate)[pair.target_start :][: pair.length])

    def input_and_target(self, source: Indices, target: Indices | None) -> tuple[Indices, Indices]:
        """Views of what goes in and what should come out, sample by sample."""
        return (source[:-1], source[1:]) if target is None else (source, target)

    def of_step(self, loss: float, accuracy: float) -> dict[str, float]:
        return {"bits": loss, "accuracy": accuracy}

    def weigh(self, target: Indices) -> None:
        return None

    def bits_gained(self, before: float, now: float) -> float:
        return before - now

    def to_samples(self, indices: Indices) -> npt.NDArray[np.floating]:
        """Float samples of a stretch of classes, pre-emphasis undone."""
        return DeEmphasis(self.pre_emphasis).push(self.codec.decode(indices))

    def measure(self, probabilities: Iterable[Probabilities], target: Indices) -> dict[str, float | None]:
        """Compare the network's distributions with what should have come out.

        Parameters
        ----------
        probabilities
            Blocks of shape (n, 256), `target.size` rows in all.
        target : ndarray of uint8, shape (m,)

        Returns
        -------
        dict
            As `score` gives it, the sound being the mean of the distribution.
        """
        decoder = self.decoder()
        nats, at = 0.0, 0
        sound, classes = [], []
        for block in probabilities:
            nats += metrics.cross_entropy_sum(block, target[at : at + len(block)])
            classes.append(block.argmax(axis=1))
            sound.append(decoder.push(block))
            at += len(block)
        return self.score(np.concatenate(sound), np.concatenate(classes), nats, target)

    def score(
        self,
        sound: npt.NDArray[np.floating],
        classes: npt.NDArray[np.integer],
        nats: float | None,
        target: Indices,
    ) -> dict[str, float | None]:
        """Give a table row.

        Parameters
        ----------
        sound : ndarray of float, shape (n,)
            Decoded, pre-emphasis undone.
        classes : ndarray of int, shape (n,)
            The likeliest class of each sample.
        nats
            Summed cross-entropy; None without a distribution.
        target : ndarray of uint8, shape (n,)

        Returns
        -------
        dict
            ``bits`` (cross-entropy per sample, or None), ``accuracy`` (exact class), ``esr`` and ``snr_db`` against
            the decoded target, which is the target as 8 bits show it. ``esr`` is None where the target is silent
            and the sound is not; ``snr_db`` also for an exact copy.
        """
        esr = metrics.esr(self.to_samples(target), sound)
        return {
            "bits": None if nats is None else float(nats / np.log(2) / target.size),
            "accuracy": float(np.mean(classes == target)),
            "esr": esr,
            "snr_db": metrics.snr_db(esr),
        }


class Encoder:
    """Float samples to classes, block by block."""

    def __init__(self, task: SamplesTask) -> None:
        self._codec = task.codec
        self._filter = PreEmphasis(task.pre_emphasis)

    def push(self, x: npt.NDArray[np.floating]) -> Indices:
        return self._codec.encode(self._filter.push(x))


class Decoder:
    """Distributions over classes to float samples, block by block; the cut into blocks changes no bit.

    Parameters
    ----------
    task
        Gives the codec and the pre-emphasis.
    decode
        ``mean`` of the distribution (least squared error), ``argmax`` (an exact class), ``sample`` (a random draw) or
        ``auto``, see `resolve_decode`.
    seed
        Of ``sample``.
    """

    def __init__(self, task: SamplesTask, decode: str, seed: int) -> None:
        self._values = task.codec.values
        self._filter = DeEmphasis(task.pre_emphasis)
        self._decode = resolve_decode(decode)
        self._rng = np.random.default_rng(seed)

    def push(self, probabilities: Probabilities) -> npt.NDArray[np.floating]:
        if self._decode == "mean":
            # Summed row by row: a matrix product may round a row differently with the number of rows.
            return self._filter.push((probabilities * self._values).sum(axis=1))
        if self._decode == "argmax":
            return self._filter.push(self._values[probabilities.argmax(axis=1)])
        cumulative = np.cumsum(probabilities, axis=1, dtype=np.float64)
        drawn = self._rng.random(len(cumulative)) * cumulative[:, -1]
        classes = np.minimum((cumulative <= drawn[:, None]).sum(axis=1), self._values.size - 1)
        return self._filter.push(self._values[classes])


def resolve_decode(decode: str) -> str:
    """``auto`` is the mean of the distribution: no other estimate has a smaller squared error."""
    return "mean" if decode == "auto" else decode
