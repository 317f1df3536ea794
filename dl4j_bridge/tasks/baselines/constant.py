"""The histogram of the target and nothing else: what a stuck network has learnt."""

from __future__ import annotations

import numpy as np

from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Prediction, Signal, blocks


class Constant(Baseline):
    """p(target), counted on the training part with one sample more of every class."""

    name = "constant"

    def fit(self, stretches: list[Stretch]) -> None:
        counts = np.ones(CLASSES)
        for _, y in blocks(stretches):
            counts += np.bincount(y, minlength=CLASSES)
        self._marginal = counts / counts.sum()

    def predict(self, x: Signal) -> Prediction:
        return Prediction(
            np.full(x.size, self._marginal @ self.codec.values),
            np.full(x.size, self._marginal.argmax(), np.uint8),
            np.broadcast_to(self._marginal.astype(np.float32), (x.size, CLASSES)),
        )

    def arrays(self) -> Arrays:
        return {"marginal": self._marginal}

    def restore(self, arrays: Arrays) -> None:
        self._marginal = arrays["marginal"]
