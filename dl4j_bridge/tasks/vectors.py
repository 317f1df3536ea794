"""The part of a task that all networks between vectors share: squared error, and samples from vectors."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import LONG_WARM_UP, Network
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import Pair, Split, Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.comparison import Comparison, Evaluated, SignalComparison
from dl4j_bridge.tasks.excerpts import SECONDS, affordable_steps, loudest_vectors
from dl4j_bridge.tasks.interface import Blocks, Fitted, Metrics, Samples, Task
from dl4j_bridge.tasks.shown import Chart, Curve, Excerpt

Vectors = npt.NDArray[np.float32]

# Bound of a number in a model file: no infinity, and no NaN.
LARGEST = sys.float_info.max
# Time steps between two reports of progress in a comparison.
COMPARE_BLOCK = 1 << 14


@dataclass(frozen=True)
class VectorTask(Task):
    """A task whose network maps vectors to vectors, with samples that follow from the vectors alone.

    A new task of this kind needs a name, an `interface`, `signals` (float32 of shape (n, width)), and if a time step
    has more than one sample `hop`, `to_inputs` and `to_samples`. Model files store the fields of its dataclass, and
    their types and `msgspec.Meta` refuse a stored value that does not fit.
    """

    loss: ClassVar[str] = "mse"
    training_metrics: ClassVar[tuple[str, ...]] = ("loss",)
    validation_metrics: ClassVar[tuple[str, ...]] = ("mse", "esr")
    solved: ClassVar[float] = 1e-10

    @classmethod
    def from_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> Self:
        return cls()

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        return msgspec.convert(stored, cls)

    def as_dict(self) -> dict[str, Any]:
        return {"task": self.name, "predicts": self.predicts, **asdict(self)}

    def describe(self) -> str:
        return self.name

    # ---- samples to vectors and back

    def to_inputs(self, samples: Samples) -> Vectors:
        """The network's input for whole time steps of float samples; shape (n, inputs)."""
        return np.asarray(samples, np.float32).reshape(-1, self.interface.inputs)

    def to_samples(self, signal: Vectors) -> Samples:
        return np.asarray(signal, np.float64).ravel()

    # ---- training

    def step_metrics(self, loss: float, accuracy: float) -> dict[str, float]:
        return {"loss": loss}

    def bits_gained(self, before: float, now: float) -> float:
        """Bits that a value's error has lost: one for half the error."""
        return metrics.bits_of_error(before, now)

    def measure(self, outputs: Iterable[Vectors], target: Vectors) -> Metrics:
        """Compare the network's vectors with the target.

        Returns
        -------
        dict
            ``mse`` of the vectors, as DL4J's LossMSE defines it, and ``esr`` and ``snr_db`` of the samples.
        """
        found = np.concatenate(list(outputs))
        esr = metrics.esr(self.to_samples(target), self.to_samples(found))
        mse = float(np.mean((found.astype(np.float64) - target) ** 2))
        return {"mse": mse, "esr": esr, "snr_db": metrics.snr_db(esr)}

    def baseline_signals(self, stretch: Stretch) -> Stretch:
        return self.to_samples(stretch[0]), self.to_samples(stretch[1])

    def baseline_sounds(self, pair: Pair, signals: Stretch, fitted: Arrays, where: slice) -> dict[str, Samples]:
        x, begin, end = self.to_samples(signals[0]), where.start * self.hop, where.stop * self.hop
        return {
            b.name: b.predict(x[max(begin - b.memory, 0) : end]).last(end - begin).values
            for b in self.fitted_baselines(fitted)
        }

    # ---- using a trained network

    def process(self, network: Network, blocks: Blocks, settings: ProcessSettings) -> Blocks:
        """Run whole time steps; the last one is filled up with zeros."""
        stream = network.dense_stream()
        rest: Samples = np.zeros(0, np.float32)
        for block in blocks:
            samples = np.concatenate([rest, block]) if rest.size else block
            whole = samples.size - samples.size % self.hop
            yield self.to_samples(stream.run(self.to_inputs(samples[:whole])))
            rest = samples[whole:]
        padded = np.pad(rest, (0, -rest.size % self.hop))
        yield self.to_samples(stream.run(self.to_inputs(padded)))[: rest.size]

    # ---- judging and showing

    @property
    def has_twin(self) -> bool:
        return self.predicts == "target" and self.interface.output == "linear"

    def comparison(self, pair: Pair, split: Split | None, fitted: Fitted) -> Comparison:
        return VectorComparison(self, pair, split, fitted)

    def excerpt(self, network: Network, pair: Pair, signals: Stretch, part: slice, rate: int) -> Excerpt:
        x, y = signals
        where = loudest_vectors(y, part, affordable_steps(network.parameter_count, rate / self.hop))
        vectors = {"target": y[where], "output": output(network, x, where)}
        if self.predicts == "target":
            vectors = {"input": x[where]} | vectors
        sounds = {name: self.to_samples(vector) for name, vector in vectors.items()}
        return Excerpt(rate, where.start * self.hop, sounds)

    def curves(self, signals: list[Stretch], fitted: Arrays) -> list[Curve]:
        return [self.loss_curve(self.loss, "Loss of training and validation.")]

    def loss_curve(self, validation: str, caption: str) -> Curve:
        """The picture of the loss over steps, with a metric of the validation beside it."""
        label, title = validation.upper(), "squared error over steps"
        return Curve("loss", self.training_metrics[0], f"valid_{validation}", label, caption, title, "log")


class VectorComparison(SignalComparison):
    """The evaluated vectors of a pair, as the samples that follow from them."""

    task: VectorTask
    # What a row has below 16 bits must not be rounded away.
    wav_subtype = "PCM_24"
    chart = Chart(
        ("snr_db",),
        "Against the baselines",
        "signal-to-noise ratios",
        "The model against baselines that were fitted on the same training part.",
    )

    def __init__(self, task: VectorTask, pair: Pair, split: Split | None, fitted: Fitted) -> None:
        super().__init__(task, pair, split, fitted)
        if not len(self.y):
            raise InputError(pair.input.path, f"{pair.length} samples", f"wanted {task.hop} or more: one frame")
        self.sound = task.to_samples(self.x)

    def outputs(self) -> Iterator[Vectors]:
        stream = self.fitted.network.dense_stream()
        stream.run(self.x[max(self.start - LONG_WARM_UP, 0) : self.start])
        for at in range(self.start, self.end, COMPARE_BLOCK):
            yield stream.run(self.x[at : min(at + COMPARE_BLOCK, self.end)])

    def predictions(self, outputs: Iterable[Vectors]) -> Iterator[Samples]:
        return map(self.task.to_samples, outputs)

    def baselines(self) -> list[Baseline]:
        return [Copy(), *super().baselines()]

    def baseline_predictions(self, baseline: Baseline) -> Iterator[Samples]:
        begin, end = self.start * self.task.hop, self.end * self.task.hop
        yield baseline.predict(self.sound[max(begin - baseline.memory, 0) : end]).last(end - begin).values

    def evaluate(self, name: str, blocks: Iterable[Samples]) -> Evaluated:
        sound = np.concatenate(list(blocks))
        esr = metrics.esr(self.target, sound)
        stft = metrics.stft_distance(self.target, sound)
        return Evaluated({"esr": esr, "snr_db": metrics.snr_db(esr), "stft": stft}, sound)

    def excerpt(self, model: Evaluated) -> Excerpt:
        part = slice(self.start, self.end)
        where = loudest_vectors(self.y, part, max(round(SECONDS * self.rate / self.task.hop), 1))
        here = slice((where.start - part.start) * self.task.hop, (where.stop - part.start) * self.task.hop)
        sounds = {name: sound[here] for name, sound in (self.references() | {"output": model.sound}).items()}
        return Excerpt(self.rate, where.start * self.task.hop, sounds)


def output(network: Network, x: Vectors, where: slice) -> Vectors:
    """The network's output for time steps of `x`, after up to `LONG_WARM_UP` time steps before them."""
    begin = max(where.start - LONG_WARM_UP, 0)
    return network.dense_stream().run(x[begin : where.stop])[where.start - begin :]
