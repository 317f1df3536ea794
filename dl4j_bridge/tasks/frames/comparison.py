"""Comparisons of samples as numbers: with a target, and of the next frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import WARM_UP
from dl4j_bridge.signal.codecs import LINEAR, MULAW
from dl4j_bridge.signal.pairs import Pair, part, part_of
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.baselines.linear_prediction import LinearPrediction
from dl4j_bridge.tasks.comparison import Contender, Drift, Evaluated, Evaluator, Samples, whole
from dl4j_bridge.tasks.shown import Chart
from dl4j_bridge.tasks.vectors import VectorComparison, Vectors, output

if TYPE_CHECKING:
    from dl4j_bridge.tasks.frames.task import FramesTask
    from dl4j_bridge.tasks.interface import Fitted


class FramesComparison(VectorComparison):
    """With the rows ``8-bit-mulaw`` and ``8-bit-linear``: the target itself in 8 bits.

    No network of 8-bit samples can be better than those; they have no parameters and no speed.
    """

    chart = Chart(
        ("snr_db",),
        "Against the baselines",
        "signal-to-noise ratios",
        "The model against baselines that were fitted on the same training part. "
        "8-bit: the target itself in 8 bits, which no network of 8-bit samples can exceed.",
    )

    def contenders(self) -> list[Contender]:
        in_8_bits = [(codec.name, codec.decode(codec.encode(self.target))) for codec in (MULAW, LINEAR)]
        return super().contenders() + [Contender(f"8-bit-{name}", None, whole(sound)) for name, sound in in_8_bits]


class NextFrameComparison(VectorComparison):
    """The test part of a recording, whether or not the model was trained with it.

    The linear prediction is fitted to the training part of the same recording.
    """

    wav_subtype = "PCM_16"
    chart = Chart(
        ("snr_db",),
        "Against predictions without a network",
        "signal-to-noise ratios",
        "The model against the last frame, the mean, and the best linear prediction.",
    )

    def __init__(self, task: FramesTask, pair: Pair, split: dict[str, tuple[int, int]] | None, fitted: Fitted) -> None:
        self._task = task
        where = part_of(max(pair.length // task.frame - 1, 0), "test")
        super().__init__(task, pair, {"test": (where.start * task.frame, where.stop * task.frame)}, fitted)
        self._training = task.to_samples(part((self.x, self.y), "train")[0])
        if not self.samples or not self._training.size:
            wanted = f"wanted {20 * task.frame} or more: frames of {task.frame} for every part"
            raise InputError(pair.input.path, f"{pair.length} samples at {pair.rate} Hz", wanted)

    def contenders(self) -> list[Contender]:
        here = slice(self.start, self.end)
        network, linear = self.fitted.network, LinearPrediction(self._task.frame)
        linear.fit([(self._training, self._training)])
        before = self._task.to_samples(self.x[: self.end])
        mean = np.full_like(self.y[here], self._task.scale.normalize(self._training).mean())

        def predicted() -> Iterator[Vectors]:
            yield self._task.to_inputs(linear.predict(before).last(self.samples).values)

        return [
            Contender("model", network.parameter_count, lambda: iter([output(network, self.x, here)])),
            Contender(Copy.name, 0, whole(self.x[here])),
            Contender("mean", 1, whole(mean)),
            Contender(linear.name, linear.parameters, predicted),
        ]

    def evaluator(self) -> Evaluator:
        return Evaluator(self._evaluate)

    def _evaluate(self, blocks: list[Vectors]) -> Evaluated:
        metrics = self._task.measure(blocks, self.y[self.start : self.end])
        return Evaluated(dict(metrics), self._task.to_samples(np.concatenate(blocks)))

    def references(self) -> dict[str, Samples]:
        return {"target": self.target}

    def drift(self, seconds: float) -> Drift:
        """Let the network feed on its own output after the evaluated part's past."""
        primer = self.x[max(self.start - WARM_UP, 0) : self.start]
        count = max(round(seconds * self.rate), 1)
        own = np.concatenate(list(self._task.feed_back(self.fitted.network, primer, count)))
        return Drift(follow(own, self._training, self.rate), own)


def follow(own: Samples, training: Samples, rate: int) -> dict[str, object]:
    """Follow free-running sound; `training` is the sound of the training part."""
    until = drift.until(own, training, rate)
    return drift.measure(own, training, rate) | {"until": until, "seconds": own.size / rate}
