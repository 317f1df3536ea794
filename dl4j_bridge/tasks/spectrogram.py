"""Magnitudes of spectra as vectors: a mixture in, one of its stems out, heard with the mixture's phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.settings.config import TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.audio import Recording
from dl4j_bridge.signal.pairs import Pair, split
from dl4j_bridge.signal.stft import Spectra, Stft
from dl4j_bridge.tasks.interface import Metrics, Stretch

Magnitudes = npt.NDArray[np.float32]

# Of the mixtures' magnitudes: what counts as 1.
PERCENTILE = 99.0


@dataclass(frozen=True)
class SpectrogramTask:
    """Magnitudes between 0 and 1 from samples, and samples from magnitudes and a mixture.

    Attributes
    ----------
    window, hop
        Of the transform, in samples; a hop is a time step.
    scale
        The magnitude that counts as 1: a high percentile of the mixtures' in the training part. What is louder counts
        as 1 too. (By the largest one, nearly all would be so close to 0 that nothing is learnt.)
    mask
        Whether the network gives the stem's share of the mixture's magnitude instead of the stem's magnitude.
    """

    window: int
    hop: int
    scale: float
    mask: bool = False

    name: ClassVar[str] = "spectrogram"
    loss: ClassVar[str] = "mse"
    learnt: ClassVar[tuple[str, ...]] = ("loss",)
    judged: ClassVar[tuple[str, ...]] = ("mse", "esr")
    solved: ClassVar[float] = 1e-10
    predicts: ClassVar[str] = "target"

    @classmethod
    def of_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> SpectrogramTask:
        """Make the task that the settings and these recordings ask for.

        Raises
        ------
        InputError
            A stem is silent where it is to be learnt.
        """
        asked = settings.spectrogram
        scale = _percentile(Stft(asked.window, asked.hop), pairs)
        return cls(asked.window, asked.hop, scale, asked.mask)

    @property
    def interface(self) -> Interface:
        return Interface.of_vectors(self.stft.bins, self.stft.bins, "sigmoid")

    @cached_property
    def stft(self) -> Stft:
        return Stft(self.window, self.hop)

    def in_words(self) -> str:
        return f"spectra of {self.stft.bins} magnitudes"

    def as_dict(self) -> dict[str, Any]:
        """What a model file says of the task."""
        return {
            "task": self.name,
            "predicts": self.predicts,
            "window": self.window,
            "hop": self.hop,
            "scale": self.scale,
            "mask": self.mask,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> SpectrogramTask:
        return cls(int(stored["window"]), int(stored["hop"]), float(stored["scale"]), bool(stored["mask"]))

    def signals(self, pair: Pair) -> Stretch:
        """Magnitudes of the mixture, and of the stem or its share; the delay cut out.

        Returns
        -------
        input, target : ndarray of float32, shape (n, bins)
            Between 0 and 1; of the frames that end within the pair.
        """
        assert pair.target is not None, "config.preset wants a target"
        mixture = self.stft.spectra([pair.input.read(pair.rate, pair.input_start, pair.length)])
        stem = self.stft.spectra([pair.target.read(pair.rate, pair.target_start, pair.length)])
        blocks = [(self.shrink(m), self._wanted(m, s)) for m, s in zip(mixture, stem, strict=True)]
        x, y = (np.concatenate(side)[: pair.length // self.hop] for side in zip(*blocks, strict=True))
        return x, y

    def shrink(self, spectra: Spectra) -> Magnitudes:
        """What the network sees of spectra; the shape stays."""
        return np.minimum(np.abs(spectra) / self.scale, 1).astype(np.float32)

    def _wanted(self, mixture: Spectra, stem: Spectra) -> Magnitudes:
        if not self.mask:
            return self.shrink(stem)
        whole, part = np.abs(mixture), np.abs(stem)
        share = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
        return np.minimum(share, 1).astype(np.float32)

    def heard(self, mixture: Spectra, output: npt.NDArray[np.floating]) -> Spectra:
        """Spectra of what the network gave, with the phase of the mixture; all of shape (n, bins)."""
        if self.mask:
            return np.asarray(mixture * output)
        return np.asarray(output * self.scale * np.exp(1j * np.angle(mixture)))

    def stem(self, x: Magnitudes, y: Magnitudes) -> Magnitudes:
        """Scaled magnitudes of the stem, from input and target or output of the network."""
        return x * y if self.mask else y

    def of_step(self, loss: float, accuracy: float) -> dict[str, float]:
        return {"loss": loss}

    def weigh(self, target: Magnitudes) -> None:
        """The loss is the usual one."""

    def measure(self, outputs: Iterable[npt.NDArray[np.float32]], target: Magnitudes) -> Metrics:
        """Compare the network's magnitudes with what should have come out.

        Returns
        -------
        dict
            ``mse``, as DL4J's LossMSE has it, and ``esr`` of the same values, which is 1 for silence.
        """
        found = np.concatenate(list(outputs)).astype(np.float64)
        return {"mse": float(np.mean((found - target) ** 2)), "esr": metrics.esr(target, found)}

    def bits_gained(self, before: float, now: float) -> float:
        """How many bits a value's error has lost: one for half the error."""
        return metrics.bits_of_error(before, now)

    def mixture_and_stem(self, pair: Pair, frames: slice) -> tuple[Spectra, Spectra]:
        """Spectra of a few frames of a pair, the delay cut out; each of shape (n, bins)."""
        assert pair.target is not None, "config.preset wants a target"
        return (
            self._spectra(pair.input, pair.rate, pair.input_start, frames),
            self._spectra(pair.target, pair.rate, pair.target_start, frames),
        )

    def _spectra(self, recording: Recording, rate: int, start: int, frames: slice) -> Spectra:
        begin = max(frames.start - self.window // self.hop, 0)
        samples = recording.read(rate, start + begin * self.hop, (frames.stop - begin) * self.hop)
        return np.concatenate(list(self.stft.spectra([samples])))[frames.start - begin : frames.stop - begin]


def _percentile(stft: Stft, pairs: list[Pair]) -> float:
    """Of the mixtures' training parts, and of nothing else: the rest must not be known.

    Raises
    ------
    InputError
        A stem is silent there.
    """
    found = []
    for pair in pairs:
        assert pair.target is not None, "config.preset wants a target"
        length = split(pair.length)["train"][1]
        if not np.any(pair.target.read(pair.rate, pair.target_start, length)):
            raise InputError(
                pair.target.path, "silent in the training part, its first 80 %", "wanted sound to learn from there"
            )
        mixture = pair.input.read(pair.rate, pair.input_start, length)
        found += [np.abs(spectra).astype(np.float32) for spectra in stft.spectra([mixture])]
    magnitudes = np.concatenate(found)
    # Where hardly anything sounds, the percentile is 0.
    return float(np.percentile(magnitudes, PERCENTILE)) or float(magnitudes.max())
