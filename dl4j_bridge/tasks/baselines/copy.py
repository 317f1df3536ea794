"""The input itself: what is not worth a network."""

from __future__ import annotations

from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Indices, Prediction, Stretch


class Copy(Baseline):
    """Gives the input back. For next-sample prediction that is the sample before."""

    name = "copy"

    def fit(self, stretches: list[Stretch]) -> None:
        pass

    def predict(self, x: Indices) -> Prediction:
        return Prediction(self.codec.decode(x), x, None)

    def arrays(self) -> Arrays:
        return {}

    def restore(self, arrays: Arrays) -> None:
        pass
