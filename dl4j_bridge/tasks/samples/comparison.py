"""A comparison of class distributions: the network, the baselines, a PyTorch twin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.settings.commands import GenerateSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import SILENCE
from dl4j_bridge.signal.pairs import Pair, Split
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, kept
from dl4j_bridge.tasks.baselines.markov import Markov
from dl4j_bridge.tasks.comparison import Drift, Evaluated, SignalComparison
from dl4j_bridge.tasks.excerpts import SECONDS, loudest_samples
from dl4j_bridge.tasks.samples.decoding import Probabilities, run_through
from dl4j_bridge.tasks.shown import Chart, Excerpt

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Fitted
    from dl4j_bridge.tasks.samples.task import SamplesTask


class SamplesComparison(SignalComparison):
    """The evaluated samples of a pair as classes."""

    task: SamplesTask
    chart = Chart(
        ("bits", "snr_db"),
        "Against the baselines",
        "bits per sample and signal-to-noise ratios",
        "The model against baselines that were fitted on the same training part. No bar: no distribution.",
    )

    def __init__(self, task: SamplesTask, pair: Pair, split: Split | None, fitted: Fitted) -> None:
        super().__init__(task, pair, split, fitted)
        if split is None and self.y.size < 2:
            raise InputError(pair.input.path, "too short", "wanted a longer recording")
        self._training = slice(*split["train"]) if split else slice(None)

    def outputs(self) -> Iterator[Probabilities]:
        return run_through(self.fitted.network.stream(), self.x, self.start, self.end)

    def predictions(self, outputs: Iterable[Probabilities]) -> Iterator[Prediction]:
        return self.task.predictions(outputs)

    def baselines(self) -> list[Baseline]:
        """For the next sample with a Markov model of each order."""
        found: list[Baseline] = []
        for baseline in super().baselines():
            # What a baseline imports on first use is not part of its speed.
            baseline.predict(self.x[:1])
            by_order = isinstance(baseline, Markov) and self.task.predicts == "next"
            found += map(self._markov_model, range(1, Markov.ORDER + 1)) if by_order else [baseline]
        return found

    def _markov_model(self, order: int) -> Markov:
        model = Markov(self.task.codec, order)
        model.restore(kept(self.fitted.baselines, Markov.name))
        model.name = f"{Markov.name}-{order}"
        return model

    def baseline_predictions(self, baseline: Baseline) -> Iterator[Prediction]:
        for at in range(self.start, self.end, SampleStream.BLOCK):
            stop = min(at + SampleStream.BLOCK, self.end)
            yield baseline.predict(self.x[max(at - baseline.memory, 0) : stop]).last(stop - at)

    def samples_in(self, block: Prediction) -> int:
        return block.values.size

    def evaluate(self, name: str, blocks: Iterable[Prediction]) -> Evaluated:
        found = self.task.evaluate(blocks, self.y[self.start : self.end])
        stft = metrics.stft_distance(self.target, found.sound)
        return replace(found, metrics=found.metrics | {"stft": stft})

    def excerpt(self, model: Evaluated) -> Excerpt:
        assert model.classes is not None
        part = slice(self.start, self.end)
        where = loudest_samples(self.task.codec.values, self.y, part, round(SECONDS * self.rate))
        here = slice(where.start - part.start, where.stop - part.start)
        return self.task.cut(self.x, self.y, where, self.rate, Evaluated({}, model.sound[here], model.classes[here]))

    def drift(self, seconds: float) -> Drift | None:
        """Generate after the last second before the evaluated part, and follow the audio."""
        if self.task.predicts != "next":
            return None
        primer = np.append(SILENCE, self.x[max(self.start - self.rate, 0) : self.start]).astype(np.uint8)
        count = max(round(seconds * self.rate), 1)
        blocks = self.task.generated(self.fitted.network.stream(), self.rate, count, GenerateSettings(), primer)
        classes = np.concatenate(list(blocks))
        facts = drift.measure(classes, self.x[self._training], self.rate, self.task.to_samples)
        return Drift(facts, self.task.to_samples(classes))
