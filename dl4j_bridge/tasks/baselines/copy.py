"""A copy of the input."""

from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, Signal


class Copy(Baseline):
    """Returns the input; in next-sample prediction that is the previous sample."""

    name = "copy"

    def fit(self, stretches: list[Stretch]) -> None:
        pass

    def predict(self, x: Signal) -> Prediction:
        return Prediction(self.decode(x), x if self._codec else None)
