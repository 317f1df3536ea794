"""The histogram of the target, which is all that a stuck network learns."""

import numpy as np

from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, Signal, blocks


class Constant(Baseline):
    """p(target), counted on the training part with one additional sample of each class."""

    name = "constant"
    fitted = ("marginal",)

    def fit(self, stretches: list[Stretch]) -> None:
        counts = np.ones(CLASSES)
        for _, y in blocks(stretches):
            counts += np.bincount(y, minlength=CLASSES)
        self.marginal = counts / counts.sum()

    def predict(self, x: Signal) -> Prediction:
        return Prediction(
            np.full(x.size, self.marginal @ self.codec.values),
            np.full(x.size, self.marginal.argmax(), np.uint8),
            np.broadcast_to(self.marginal.astype(np.float32), (x.size, CLASSES)),
        )
