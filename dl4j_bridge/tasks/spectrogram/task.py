"""Magnitudes of spectra as vectors: a mixture in, one of its stems out, with the mixture's phase."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import Pair, Split, Stretch, part_of
from dl4j_bridge.signal.stft import Spectra, Stft
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline
from dl4j_bridge.tasks.baselines.wiener import Wiener
from dl4j_bridge.tasks.comparison import Comparison
from dl4j_bridge.tasks.excerpts import affordable_steps, loudest_vectors
from dl4j_bridge.tasks.interface import Blocks, Fitted, Metrics, Samples
from dl4j_bridge.tasks.shown import Excerpt
from dl4j_bridge.tasks.spectrogram.comparison import SpectrogramComparison, mixture_and_stem
from dl4j_bridge.tasks.spectrogram.settings import LONGEST_WINDOW, SpectrogramSettings
from dl4j_bridge.tasks.vectors import LARGEST, VectorTask, output

Magnitudes = npt.NDArray[np.float32]

# Percentile of the mixtures' magnitudes that is normalized to 1.
PERCENTILE = 99.0


@dataclass(frozen=True)
class SpectrogramTask(VectorTask):
    """Magnitudes between 0 and 1 from samples, and samples from magnitudes and a mixture.

    Attributes
    ----------
    window, hop
        Window and hop of the transform, in samples; a hop is a time step.
    scale
        The magnitude that is normalized to 1: a high percentile of the mixtures' in the training part. Larger ones
        become 1 too. (By the largest magnitude, nearly all would be so close to 0 that the network learns nothing.)
    mask
        Whether the network's output is the stem's share of the mixture's magnitude instead of the stem's magnitude.
    """

    window: Annotated[int, Meta(ge=4, le=LONGEST_WINDOW, multiple_of=2)]
    # Without `field`, the base class would give it a default.
    hop: Annotated[int, Meta(ge=1)] = field()
    scale: Annotated[float, Meta(gt=0, le=LARGEST)]
    mask: bool

    name: ClassVar[str] = "spectrogram"

    @classmethod
    def from_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> Self:
        """Make the task that the settings and these recordings ask for.

        Raises
        ------
        InputError
            A stem is silent in the training part.
        """
        own = settings.own
        assert isinstance(own, SpectrogramSettings)
        return cls(own.window, own.hop, _percentile(Stft(own.window, own.hop), pairs), own.mask)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        found = super().from_dict(stored)
        if found.hop > found.window // 2:
            raise ValueError(f"hop {found.hop}")
        return found

    def describe(self) -> str:
        return f"spectra of {self.stft.bins} magnitudes"

    @property
    def interface(self) -> Interface:
        return Interface.of_vectors(self.stft.bins, self.stft.bins, "sigmoid")

    @cached_property
    def stft(self) -> Stft:
        return Stft(self.window, self.hop)

    # ---- samples to magnitudes and back

    def signals(self, pair: Pair) -> Stretch:
        """Magnitudes of the mixture, and of the stem or its share; the delay cut out.

        Returns
        -------
        input, target : ndarray of float32, shape (n, bins)
            Between 0 and 1; of the frames that end within the pair.
        """
        spectra = zip(*(self.stft.spectra([s]) for s in mixture_and_stem(pair, 0, pair.length)), strict=True)
        blocks = [(self.normalize(mixture), self._target(mixture, stem)) for mixture, stem in spectra]
        x, y = (np.concatenate(side)[: pair.length // self.hop] for side in zip(*blocks, strict=True))
        return x, y

    def normalize(self, spectra: Spectra) -> Magnitudes:
        """The network's input for spectra; the shape stays."""
        return np.minimum(np.abs(spectra) / self.scale, 1).astype(np.float32)

    def _target(self, mixture: Spectra, stem: Spectra) -> Magnitudes:
        if not self.mask:
            return self.normalize(stem)
        whole, part = np.abs(mixture), np.abs(stem)
        share = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
        return np.minimum(share, 1).astype(np.float32)

    def separated(self, mixture: Spectra, output: npt.NDArray[np.floating]) -> Spectra:
        """Spectra of the network's output, with the phase of the mixture; all of shape (n, bins)."""
        if self.mask:
            return np.asarray(mixture * output)
        return np.asarray(output * self.scale * np.exp(1j * np.angle(mixture)))

    def stem(self, x: Magnitudes, y: Magnitudes) -> Magnitudes:
        """Normalized magnitudes of the stem, from input and target or output of the network."""
        return x * y if self.mask else y

    # ---- training

    @property
    def graded(self) -> bool:
        """False: the ESR of `measure` is that of magnitudes."""
        return False

    def measure(self, outputs: Iterable[Magnitudes], target: Magnitudes) -> Metrics:
        """Compare the network's magnitudes with the target.

        Returns
        -------
        dict
            ``mse``, as DL4J's LossMSE defines it, and ``esr`` of the same values, which is 1 for silence.
        """
        found = np.concatenate(list(outputs)).astype(np.float64)
        return {"mse": float(np.mean((found - target) ** 2)), "esr": metrics.esr(target, found)}

    def baselines(self) -> list[Baseline]:
        return [Wiener()]

    def baseline_signals(self, stretch: Stretch) -> Stretch:
        return stretch[0], self.stem(*stretch)

    def baseline_sounds(self, pair: Pair, signals: Stretch, fitted: Arrays, where: slice) -> dict[str, Samples]:
        mixture, _ = self.spectra(pair, where)
        return {
            b.name: np.concatenate(list(self.stft.samples([np.asarray(b.predict(mixture).values)])))
            for b in self.fitted_baselines(fitted)
        }

    def baseline_errors(self, stretches: list[Stretch], fitted: Arrays) -> dict[str, float]:
        # The ESR of a validation is that of magnitudes.
        return {}

    # ---- using a trained network

    def process(self, network: Network, blocks: Blocks, settings: ProcessSettings) -> Blocks:
        """The stem's magnitudes, with the mixture's phase."""
        stream, analysis, synthesis = network.dense_stream(), self.stft.analysis(), self.stft.synthesis()
        for block in chain(blocks, [analysis.padding]):
            spectra = analysis.push(block)
            parts = [synthesis.push(self.separated(part, stream.run(self.normalize(part)))) for part in spectra]
            yield np.concatenate(parts)

    @property
    def latency(self) -> int:
        return self.window - 1

    # ---- judging and showing

    def comparison(self, pair: Pair, split: Split | None, fitted: Fitted) -> Comparison:
        return SpectrogramComparison(self, pair, split, fitted)

    def excerpt(self, network: Network, pair: Pair, signals: Stretch, part: slice, rate: int) -> Excerpt:
        x, y = signals
        where = loudest_vectors(self.stem(x, y), part, affordable_steps(network.parameter_count, rate / self.hop))
        mixture, stem = self.spectra(pair, where)
        spectra = {"input": mixture, "target": stem, "output": self.separated(mixture, output(network, x, where))}
        sounds: dict[str, Samples] = {name: np.concatenate(list(self.stft.samples([s]))) for name, s in spectra.items()}
        return Excerpt(rate, where.start * self.hop, sounds)

    def spectra(self, pair: Pair, frames: slice) -> list[Spectra]:
        """Spectra of some frames of the mixture and of the stem, each of shape (n, bins)."""
        begin = max(frames.start - self.window // self.hop, 0)
        sounds = mixture_and_stem(pair, begin * self.hop, (frames.stop - begin) * self.hop)
        return [
            np.concatenate(list(self.stft.spectra([sound])))[frames.start - begin : frames.stop - begin]
            for sound in sounds
        ]


def _percentile(stft: Stft, pairs: list[Pair]) -> float:
    """A percentile of the mixtures' training parts, and of nothing else: the rest must stay unknown.

    Raises
    ------
    InputError
        A stem is silent there.
    """
    found = []
    for pair in pairs:
        mixture, stem = mixture_and_stem(pair, 0, part_of(pair.length, "train").stop)
        if not np.any(stem):
            assert pair.target is not None
            wanted = "wanted sound to learn from there"
            raise InputError(pair.target.path, "silent in the training part, its first 80 %", wanted)
        found += [np.abs(spectra).astype(np.float32) for spectra in stft.spectra([mixture])]
    magnitudes = np.concatenate(found)
    # Where hardly anything sounds, the percentile is 0.
    return float(np.percentile(magnitudes, PERCENTILE)) or float(magnitudes.max())
