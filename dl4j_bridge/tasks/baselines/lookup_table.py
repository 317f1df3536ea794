"""A memoryless map from input class to target class, as of a distortion curve."""

import numpy as np

from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, Signal, blocks


class LookupTable(Baseline):
    """p(target | input), counted on the training part.

    The counts of each row start with `PRIOR` samples of the marginal distribution, and those of the marginal with one
    sample of each class, so rows with few samples are close to the marginal.
    """

    name = "lookup-table"
    fitted = ("table",)
    PRIOR = 1.0

    def fit(self, stretches: list[Stretch]) -> None:
        counts = np.zeros((CLASSES, CLASSES))
        for x, y in blocks(stretches):
            counts += np.bincount(x.astype(np.int64) * CLASSES + y, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
        marginal = counts.sum(axis=0) + 1
        counts += self.PRIOR * marginal / marginal.sum()
        self.table = counts / counts.sum(axis=1, keepdims=True)

    def predict(self, x: Signal) -> Prediction:
        means = self.table @ self.codec.values
        likeliest = self.table.argmax(axis=1).astype(np.uint8)
        return Prediction(means[x], likeliest[x], self.table.astype(np.float32)[x])
