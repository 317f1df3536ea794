"""A comparison of class distributions: the network, the baselines, a PyTorch twin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.settings.commands import GenerateSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import SILENCE
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.signal.pre_emphasis import DeEmphasis
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, kept
from dl4j_bridge.tasks.baselines.markov import Markov
from dl4j_bridge.tasks.comparison import Comparison, Contender, Drift, Evaluated, Evaluator, Samples
from dl4j_bridge.tasks.excerpts import SECONDS, loudest_samples
from dl4j_bridge.tasks.samples.decoding import Indices, Probabilities, mean_values, run_through
from dl4j_bridge.tasks.samples.generation import generate_classes, prime
from dl4j_bridge.tasks.shown import Chart, Excerpt

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Fitted
    from dl4j_bridge.tasks.samples.task import SamplesTask


class SamplesComparison(Comparison):
    """Samples start..end-1 of a pair as classes; parameters as of `Task.comparison`."""

    chart = Chart(
        ("bits", "snr_db"),
        "Against the baselines",
        "bits per sample and signal-to-noise ratios",
        "The model against baselines that were fitted on the same training part. No bar: no distribution.",
    )

    def __init__(self, task: SamplesTask, pair: Pair, split: dict[str, tuple[int, int]] | None, fitted: Fitted) -> None:
        self._task, self._rate, self._fitted = task, pair.rate, fitted
        self._x, self._y = task.signals(pair)
        if split is None and self._y.size < 2:
            raise InputError(pair.input.path, "too short", "wanted a longer recording")
        self._start, self._end = split["test"] if split else (0, self._y.size)
        self._training = slice(*split["train"]) if split else slice(None)
        self._target = self._y[self._start : self._end]
        self._stream = fitted.network.stream()
        self.part = "test" if split else "all"
        self.samples = self._end - self._start

    def contenders(self) -> list[Contender]:
        network = self._fitted.network
        rows = [Contender("model", network.parameter_count, self._of_model)]
        return rows + [
            Contender(name, baseline.parameters, lambda baseline=baseline: self._of_baseline(baseline))  # type: ignore[misc]
            for name, baseline in self._baselines()
        ]

    def _baselines(self) -> Iterator[tuple[str, Baseline]]:
        """Fitted baselines by the name of their row; for the next sample a Markov row of each order."""
        for baseline in self._task.fitted_baselines(self._fitted.baselines):
            # What a baseline imports on first use is not part of its speed.
            baseline.predict(self._x[:1])
            if not isinstance(baseline, Markov) or self._task.predicts != "next":
                yield baseline.name, baseline
                continue
            for order in range(1, Markov.ORDER + 1):
                shorter = Markov(self._task.codec, order)
                shorter.restore(kept(self._fitted.baselines, Markov.name))
                yield f"markov-{order}", shorter

    def twin(self, steps: int) -> Contender:
        from dl4j_bridge.tasks.pytorch_twin import PytorchTwin

        twin = PytorchTwin(self._task, self._fitted.settings, steps)
        twin.fit((self._x[self._training], self._y[self._training]))
        return Contender(
            twin.name, twin.parameters, lambda: self._predictions(twin.run(self._x, self._start, self._end))
        )

    def _of_model(self) -> Iterator[Prediction]:
        return self._predictions(run_through(self._stream, self._x, self._start, self._end))

    def _predictions(self, outputs: Iterator[Probabilities]) -> Iterator[Prediction]:
        values = self._task.codec.values
        for p in outputs:
            yield Prediction(mean_values(p, values), p.argmax(axis=1).astype(np.uint8), p)

    def _of_baseline(self, baseline: Baseline) -> Iterator[Prediction]:
        for at in range(self._start, self._end, SampleStream.BLOCK):
            stop = min(at + SampleStream.BLOCK, self._end)
            yield baseline.predict(self._x[max(at - baseline.memory, 0) : stop]).last(stop - at)

    def evaluator(self) -> Evaluator:
        return _ClassEvaluator(self._task, self._target)

    def references(self) -> dict[str, Samples]:
        here = slice(self._start, self._end)
        return {"input": self._task.to_samples(self._x[here]), "target": self._task.to_samples(self._target)}

    def excerpt(self, model: Evaluated) -> Excerpt:
        assert model.classes is not None
        part = slice(self._start, self._end)
        where = loudest_samples(self._task.codec.values, self._y, part, round(SECONDS * self._rate))
        found = self._task.cut(self._x, self._y, where, self._rate)
        here = slice(where.start - part.start, where.stop - part.start)
        found.sounds["output"], found.classes["output"] = model.sound[here], model.classes[here]
        return found

    def drift(self, seconds: float) -> Drift | None:
        """Generate after the last second before the evaluated part, and follow the audio."""
        if self._task.predicts != "next":
            return None
        settings, rate, task = GenerateSettings(), self._rate, self._task
        before = self._x[max(self._start - rate, 0) : self._start]
        prime(self._stream, settings.seed, np.append(SILENCE, before).astype(np.uint8))
        count = max(round(seconds * rate), 1)
        blocks = generate_classes(self._stream, task.sampling, task.to_samples, rate, count, settings)
        classes = np.concatenate(list(blocks))
        facts = drift.measure(classes, self._x[self._training], rate, task.to_samples)
        return Drift(facts, task.to_samples(classes))


class _ClassEvaluator(Evaluator):
    """Takes `Prediction`s; only the classes and the sound are kept, for a distribution has 1 kB a sample."""

    def __init__(self, task: SamplesTask, target: Indices) -> None:
        self._task, self._target = task, target
        self._de_emphasis = DeEmphasis(task.pre_emphasis)
        self._nats: float | None = 0.0
        self._sounds: list[Samples] = []
        self._classes: list[Indices] = []
        self._at = 0

    def add(self, block: Prediction) -> int:
        assert block.classes is not None
        stop = self._at + block.values.size
        self._sounds.append(self._de_emphasis.push(block.values))
        self._classes.append(block.classes)
        if block.probabilities is None or self._nats is None:
            self._nats = None
        else:
            self._nats += metrics.cross_entropy_sum(block.probabilities, self._target[self._at : stop])
        self._at = stop
        return block.values.size

    def evaluated(self) -> Evaluated:
        sound, classes = np.concatenate(self._sounds), np.concatenate(self._classes)
        row = self._task.score(sound, classes, self._nats, self._target)
        stft = metrics.stft_distance(self._task.to_samples(self._target), sound)
        return Evaluated({**row, "stft": stft}, sound, classes)
