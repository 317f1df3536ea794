"""The input itself."""

from __future__ import annotations

from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Prediction, Signal


class Copy(Baseline):
    """Returns the input. For next-sample prediction, that is the sample before."""

    name = "copy"
    learns = False

    def fit(self, stretches: list[Stretch]) -> None:
        pass

    def predict(self, x: Signal) -> Prediction:
        return Prediction(self.decode(x), x if self._codec else None)

    def arrays(self) -> Arrays:
        return {}

    def restore(self, arrays: Arrays) -> None:
        pass
