"""Magnitudes of spectra as vectors: a mixture in, one of its stems out, heard with the mixture's phase."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge import metrics
from dl4j_bridge.audio import Recording
from dl4j_bridge.config import TrainSettings
from dl4j_bridge.errors import InputError
from dl4j_bridge.pairs import Pair, split
from dl4j_bridge.stft import Spectra, Stft
from dl4j_bridge.tasks.interface import Interface, Metrics, Stretch

Magnitudes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SpectrogramTask:
    """Magnitudes between 0 and 1 from samples, and samples from magnitudes and a mixture.

    Attributes
    ----------
    window, hop
        Of the transform, in samples; a hop is a time step.
    scale
        The magnitude that counts as 1: the largest one of the training part, of all mixtures and stems. What is
        louder elsewhere counts as 1 too.
    """

    window: int
    hop: int
    scale: float

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
        unscaled = cls(settings.spectrogram.window, settings.spectrogram.hop, 1.0)
        return cls(unscaled.window, unscaled.hop, max(unscaled._largest(pair) for pair in pairs))

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
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> SpectrogramTask:
        return cls(int(stored["window"]), int(stored["hop"]), float(stored["scale"]))

    def signals(self, pair: Pair) -> Stretch:
        """Magnitudes of mixture and stem, the delay cut out; each float32 of shape (n, bins), between 0 and 1."""
        assert pair.target is not None, "config.preset wants a target"
        return (
            self._magnitudes(pair.input, pair.rate, pair.input_start, pair.length),
            self._magnitudes(pair.target, pair.rate, pair.target_start, pair.length),
        )

    def shrink(self, spectra: Spectra) -> Magnitudes:
        """What the network sees of spectra; the shape stays."""
        return np.minimum(np.abs(spectra) / self.scale, 1).astype(np.float32)

    def heard(self, mixture: Spectra, magnitudes: npt.NDArray[np.floating]) -> Spectra:
        """Spectra of these (scaled) magnitudes, with the phase of the mixture; all of shape (n, bins)."""
        return np.asarray(magnitudes * self.scale * np.exp(1j * np.angle(mixture)))

    def of_step(self, loss: float, accuracy: float) -> dict[str, float]:
        return {"loss": loss}

    def weigh(self, target: Magnitudes) -> None:
        """The loss is the usual one."""

    def measure(self, outputs: Iterable[npt.NDArray[np.float32]], target: Magnitudes) -> Metrics:
        """Compare the network's magnitudes with what should have come out.

        Returns
        -------
        dict
            ``mse``, as DL4J's LossMSE has it, and ``esr`` of the magnitudes, which is 1 for silence.
        """
        found = np.concatenate(list(outputs)).astype(np.float64)
        return {"mse": float(np.mean((found - target) ** 2)), "esr": metrics.esr(target, found)}

    def bits_gained(self, before: float, now: float) -> float:
        """How many bits a value's error has lost: one for half the error."""
        return 0.5 * math.log2(max(before, 1e-30) / max(now, 1e-30))

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

    def _magnitudes(self, recording: Recording, rate: int, start: int, length: int) -> Magnitudes:
        """Of the frames that end within the stretch."""
        samples = recording.read(rate, start, length)
        blocks = [self.shrink(spectra) for spectra in self.stft.spectra([samples])]
        return np.concatenate(blocks)[: length // self.hop]

    def _largest(self, pair: Pair) -> float:
        """Magnitude of the training part, and of nothing else: the rest must not be known."""
        assert pair.target is not None, "config.preset wants a target"
        length = split(pair.length)["train"][1]
        largest = []
        for recording, start in ((pair.input, pair.input_start), (pair.target, pair.target_start)):
            samples = recording.read(pair.rate, start, length)
            largest.append(max(float(np.abs(spectra).max()) for spectra in self.stft.spectra([samples])))
            if not largest[-1]:
                found = "silent in the training part, its first 80 %"
                raise InputError(recording.path, found, "wanted sound to learn from there")
        return max(largest)
