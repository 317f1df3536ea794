"""What a task is to the rest of the package: everything between recordings and a network, and back."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.commands import AdoptSettings, GenerateSettings, ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import audio_files, metrics
from dl4j_bridge.signal.pairs import Pair, Split, Stretch
from dl4j_bridge.signal.recordings import Recording
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, kept
from dl4j_bridge.tasks.comparison import Comparison
from dl4j_bridge.tasks.shown import Curve, Excerpt

# A value for each time step: class indices, uint8 of shape (n,), or vectors, float32 of shape (n, width).
Signal = npt.NDArray[Any]
Samples = npt.NDArray[np.floating]
Blocks = Iterator[Samples]
Metrics = dict[str, float | None]
LossWeights = tuple[float, float, float, int]


@dataclass(frozen=True)
class Fitted:
    """A trained network with all that a comparison needs of its run.

    Attributes
    ----------
    network
        The network.
    baselines
        Arrays of the baselines that were fitted with it, by ``name/array``.
    settings
        Settings of the training.
    """

    network: Network
    baselines: Arrays
    settings: TrainSettings


class Task(ABC):
    """Features, targets, decoding, metrics, baselines and reports of one kind of learning.

    Attributes
    ----------
    name
        Value of ``--task``.
    loss
        The value of `measure` that training minimizes.
    training_metrics, validation_metrics
        Values of `step_metrics` and of `measure` that are logged.
    solved
        A loss at which nothing is left to learn.
    predicts
        ``target``: the processed recording. ``next``: what comes next in the same recording.
    hop
        Samples of a recording in a time step.
    """

    name: ClassVar[str]
    loss: ClassVar[str]
    training_metrics: ClassVar[tuple[str, ...]]
    validation_metrics: ClassVar[tuple[str, ...]]
    solved: ClassVar[float]
    predicts: str = "target"
    hop: int = 1

    @property
    def graded(self) -> bool:
        """Whether the ``esr`` of `measure` is that of a sound, which `grades.of` puts into words."""
        return self.predicts == "target"

    # ---- making one

    @classmethod
    @abstractmethod
    def from_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> Self:
        """Make the task that the settings and these recordings ask for; only their training parts may be used.

        Raises
        ------
        InputError
            The recordings or the settings do not fit the task.
        """

    def better_task(self, pairs: list[Pair], settings: TrainSettings) -> str | None:
        """Name of a task that suits these recordings better than this one; None if there is none."""
        return None

    @classmethod
    def takes(cls, inputs: int, outputs: int, output: str | None) -> bool:
        """Whether a network made elsewhere can have this task.

        Parameters
        ----------
        inputs, outputs
            Values per time step.
        output
            Activation of the output, as in `Interface`; None if it is not known.
        """
        return False

    @classmethod
    def adopted(cls, inputs: int, settings: AdoptSettings) -> tuple[Self, dict[str, Any]]:
        """Make the task of a network that it `takes`, and the training options that say the same.

        Raises
        ------
        InputError
            A setting is missing, or belongs to another task.
        """
        raise NotImplementedError(f"--task {cls.name} adopts nothing")

    @classmethod
    @abstractmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The task that `as_dict` stored.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is incomplete or out of range.
        """

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """What a model file stores of the task, ``task`` and ``predicts`` among it."""

    @abstractmethod
    def describe(self) -> str:
        """A few words for the line that is printed before training."""

    def notes(self, pairs: list[Pair]) -> list[str]:
        """Notes for the user on what the recordings mean for this task."""
        return []

    # ---- training

    @property
    @abstractmethod
    def interface(self) -> Interface:
        """Sizes and kinds of the network's input and output."""

    @abstractmethod
    def signals(self, pair: Pair) -> Stretch:
        """Input and target of a pair, time step by time step, with the delay cut out."""

    @abstractmethod
    def step_metrics(self, loss: float, accuracy: float) -> dict[str, float]:
        """Values of `training_metrics` from what `Network.step` returned."""

    def loss_weights(self, settings: TrainSettings, target: Signal, first: bool) -> LossWeights | None:
        """Weights of a segment's squared error, as `Network.set_loss_weights` takes them; None for the plain mean.

        `target` has shape (batch, n, ...); `first` is True at the start of a window.
        """
        return None

    def training_input(self, network: Network, settings: TrainSettings, x: Signal, number: int, first: bool) -> Signal:
        """The input of update `number` (from 0), shape (batch, n, ...); `first` is True at the start of a window."""
        return x

    def rate_share(self, epochs: float) -> float:
        """Share of the learning rate that a training with this number of epochs in all begins with."""
        return 1.0

    @abstractmethod
    def measure(self, outputs: Iterable[npt.NDArray[np.float32]], target: Signal) -> Metrics:
        """Compare the network's outputs, blocks of time steps, with the target."""

    @abstractmethod
    def bits_gained(self, before: float, now: float) -> float:
        """The improvement from one loss to another, in bits per value."""

    def baselines(self) -> list[Baseline]:
        """Unfitted baselines that training fits and the model file keeps; they take what `baseline_signal` gives."""
        return []

    def baseline_signals(self, stretch: Stretch) -> Stretch:
        """Input and target as the baselines take them."""
        return stretch

    def fit_baselines(self, training: list[Stretch], fitted: Arrays) -> Arrays:
        """Fit the baselines that are not among the arrays `fitted` yet; returns the arrays of all."""
        arrays = dict(fitted)
        missing = [baseline for baseline in self.baselines() if not kept(fitted, baseline.name)]
        stretches = [self.baseline_signals(stretch) for stretch in training] if missing else []
        for baseline in missing:
            baseline.fit(stretches)
            arrays |= {f"{baseline.name}/{name}": value for name, value in baseline.arrays().items()}
        return arrays

    def fitted_baselines(self, stored: Arrays) -> list[Baseline]:
        """Baselines of a model file; those that an older version did not fit are left out."""
        found = []
        for baseline in self.baselines():
            arrays = kept(stored, baseline.name)
            if arrays or not baseline.fitted:
                baseline.restore(arrays)
                found.append(baseline)
        return found

    def baseline_errors(self, stretches: list[Stretch], fitted: Arrays) -> dict[str, float]:
        """ESR of the fitted baselines by name, as far as it compares with that of `measure`.

        Parameters
        ----------
        stretches
            Input and target; the input may begin earlier, for the baselines' memory.
        fitted
            Arrays of the baselines.
        """
        errors = {}
        for baseline in self.fitted_baselines(fitted):
            found, wanted = [], []
            for x, y in stretches:
                x, y = self.baseline_signals((x, y))
                found.append(baseline.predict(x).last(len(y)).values)
                wanted.append(baseline.decode(y))
            error = metrics.esr(np.concatenate(wanted), np.concatenate(found))
            if error is not None:
                errors[baseline.name] = error
        return errors

    def baseline_sounds(self, pair: Pair, signals: Stretch, fitted: Arrays, where: slice) -> dict[str, Samples]:
        """Sounds of the fitted baselines by name, for some time steps of a pair.

        Parameters
        ----------
        pair, signals
            The recordings, and `signals` of them.
        fitted
            Arrays of the baselines.
        where
            Time steps.
        """
        return {}

    def sharpness(self, outputs: Iterable[npt.NDArray[np.float32]], target: Signal) -> float:
        """Factor on the output layer's weights that makes the outputs fit the target best; 1 where there is none."""
        return 1.0

    def calibrate(self, network: Network, training: list[Stretch], rate: int) -> Self:
        """The task with what can only be measured on the trained network, such as a sampling temperature."""
        return self

    # ---- using a trained network

    @abstractmethod
    def to_samples(self, signal: Signal) -> Samples:
        """Float samples of a stretch of the signal; 1-dimensional, full scale is 1."""

    def output_subtype(self, recording: Recording | None, rate: int, settings: ProcessSettings | None) -> str:
        """Libsndfile's sample format for the output: as fine as the input's, with at least 16 bits.

        Parameters
        ----------
        recording
            The recording that is processed; None for new audio.
        rate
            Rate of the network, in Hz.
        settings
            Settings of `process`; None for new audio.
        """
        return audio_files.as_fine(recording.subtype) if recording else "PCM_16"

    @abstractmethod
    def process(self, network: Network, blocks: Blocks, settings: ProcessSettings) -> Blocks:
        """Run float samples at the network's rate through the network, the state carried from block to block.

        Parameters
        ----------
        network
            The network.
        blocks
            Blocks of any size, also 0. They are short enough for all intermediate values of one to fit in memory.
        settings
            How to decode.

        Yields
        ------
        ndarray of float, shape (n,)
            For each block, all samples that can be computed now, which lag by at most `latency`; then those that are
            left at the end, and possibly more. The cut into blocks changes no bit.
        """

    @property
    def latency(self) -> int:
        """Number of samples that `process` must know beyond the one that it computes."""
        return self.hop - 1

    @property
    def temperature(self) -> float:
        """Sampling temperature of `generate` where none is given."""
        return 1.0

    def generate(
        self, network: Network, rate: int, count: int, settings: GenerateSettings, prime: Samples | None
    ) -> Blocks:
        """Blocks of new audio, `count` samples at `rate` Hz in all, that continue `prime` (None for silence).

        A primer has at least the samples of a time step.
        """
        raise NotImplementedError(f"--task {self.name} generates nothing")

    # ---- judging and showing

    @property
    def has_twin(self) -> bool:
        """Whether a comparison can train a PyTorch twin."""
        return False

    @abstractmethod
    def comparison(self, pair: Pair, split: Split | None, fitted: Fitted) -> Comparison:
        """The network and what it is compared with, on the evaluated part of a pair.

        Parameters
        ----------
        pair
            The recordings.
        split
            Borders of the parts in samples if the network was trained with this pair, else None.
        fitted
            The trained network.

        Raises
        ------
        InputError
            The evaluated part is too short.
        """

    @abstractmethod
    def excerpt(self, network: Network, pair: Pair, signals: Stretch, part: slice, rate: int) -> Excerpt:
        """The loudest seconds of a part, with the network's output.

        Parameters
        ----------
        network
            The network; a slow one is run over fewer seconds.
        pair, signals
            The recordings, and `signals` of them.
        part
            Time steps to choose from.
        rate
            In Hz.
        """

    @abstractmethod
    def curves(self, signals: list[Stretch], fitted: Arrays) -> list[Curve]:
        """The pictures of the training's progress; `signals` are those of all pairs."""
