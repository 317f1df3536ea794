"""A task of one's own in one module: the loudness of the target, sample by sample, from the input's samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.signal.pairs import Pair, Stretch
from dl4j_bridge.tasks.kind import TaskKind
from dl4j_bridge.tasks.registry import register
from dl4j_bridge.tasks.vectors import VectorTask

SMOOTHING = 64


@dataclass(frozen=True)
class EnvelopeTask(VectorTask):
    """A sample in, the mean absolute value of the target's last `SMOOTHING` samples out."""

    name: ClassVar[str] = "envelope"

    @property
    def interface(self) -> Interface:
        return Interface.of_vectors(1, 1)

    def signals(self, pair: Pair) -> Stretch:
        assert pair.target is not None
        x = pair.input.read(pair.rate, pair.input_start, pair.length)
        y = np.abs(pair.target.read(pair.rate, pair.target_start, pair.length))
        smooth = np.convolve(y, np.full(SMOOTHING, 1 / SMOOTHING))[: y.size]
        return self.to_inputs(x), self.to_inputs(smooth)


register(TaskKind("envelope", EnvelopeTask, with_target={"layers": 1, "hidden": 12, "learning_rate": 0.01}))
