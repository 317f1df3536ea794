"""Comparisons of samples as numbers: with a target, and of the next frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import WARM_UP
from dl4j_bridge.signal.codecs import LINEAR, MULAW
from dl4j_bridge.signal.pairs import Pair, Split, part, part_of
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.baselines.linear_prediction import LinearPrediction
from dl4j_bridge.tasks.comparison import Contender, Drift, Evaluated, Samples
from dl4j_bridge.tasks.shown import Chart
from dl4j_bridge.tasks.vectors import VectorComparison, Vectors, output

if TYPE_CHECKING:
    from dl4j_bridge.tasks.frames.task import FramesTask
    from dl4j_bridge.tasks.interface import Fitted


class FramesComparison(VectorComparison):
    """With the rows ``8-bit-mulaw`` and ``8-bit-linear``: the target itself in 8 bits.

    No network of 8-bit samples can be better than those; they have no parameters and no speed.
    """

    chart = replace(
        VectorComparison.chart,
        caption=f"{VectorComparison.chart.caption} "
        "8-bit: the target itself in 8 bits, which no network of 8-bit samples can exceed.",
    )

    def contenders(self) -> list[Contender]:
        in_8_bits = [(codec.name, codec.decode(codec.encode(self.target))) for codec in (MULAW, LINEAR)]
        return super().contenders() + [
            Contender(f"8-bit-{name}", None, partial(iter, [sound])) for name, sound in in_8_bits
        ]


class NextFrameComparison(VectorComparison):
    """The test part of a recording, whether or not the model was trained with it.

    The linear prediction is fitted to the training part of the same recording.
    """

    task: FramesTask
    wav_subtype = "PCM_16"
    chart = Chart(
        ("snr_db",),
        "Against predictions without a network",
        "signal-to-noise ratios",
        "The model against the last frame, the mean, and the best linear prediction.",
    )

    def __init__(self, task: FramesTask, pair: Pair, split: Split | None, fitted: Fitted) -> None:
        where = part_of(max(pair.length // task.frame - 1, 0), "test")
        super().__init__(task, pair, {"test": (where.start * task.frame, where.stop * task.frame)}, fitted)
        self._training = task.to_samples(part((self.x, self.y), "train")[0])
        if not self.samples or not self._training.size:
            wanted = f"wanted {20 * task.frame} or more: frames of {task.frame} for every part"
            raise InputError(pair.input.path, f"{pair.length} samples at {pair.rate} Hz", wanted)

    def contenders(self) -> list[Contender]:
        network, linear = self.fitted.network, LinearPrediction(self.task.frame)
        linear.fit([(self._training, self._training)])
        here = slice(self.start, self.end)
        before = self.sound[: self.end * self.task.frame]
        mean = np.full_like(self.y[here], self.task.scale.normalize(self._training).mean())
        return [
            Contender("model", network.parameter_count, lambda: [output(network, self.x, here)]),
            Contender(Copy.name, 0, lambda: [self.x[here]]),
            Contender("mean", 1, lambda: [mean]),
            Contender(
                linear.name,
                linear.parameters,
                lambda: [self.task.to_inputs(linear.predict(before).last(self.samples).values)],
            ),
        ]

    def evaluate(self, name: str, blocks: Iterable[Vectors]) -> Evaluated:
        found = np.concatenate(list(blocks))
        return Evaluated(self.task.measure([found], self.y[self.start : self.end]), self.task.to_samples(found))

    def references(self) -> dict[str, Samples]:
        return {"target": self.target}

    def drift(self, seconds: float) -> Drift:
        """Let the network feed on its own output after the evaluated part's past."""
        primer = self.x[max(self.start - WARM_UP, 0) : self.start]
        count = max(round(seconds * self.rate), 1)
        own = np.concatenate(list(self.task.feed_back(self.fitted.network, primer, count)))
        return Drift(follow(own, self._training, self.rate), own)


def follow(own: Samples, training: Samples, rate: int) -> dict[str, object]:
    """Follow free-running sound; `training` is the sound of the training part."""
    until = drift.until(own, training, rate)
    return drift.measure(own, training, rate) | {"until": until, "seconds": own.size / rate}
