"""The best linear prediction of a whole frame."""

from __future__ import annotations

import numpy as np

from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Floats, Prediction, Signal
from dl4j_bridge.tasks.baselines.normal_equations import lagged_products, solve


class LinearPrediction(Baseline):
    """Predicts the next frame of float samples from the `ORDER` samples before it (Wiener, 1949).

    Parameters
    ----------
    frame
        Samples to predict at once.
    """

    name = "linear"
    ORDER = 512
    RIDGE = 1e-4
    memory = ORDER

    def __init__(self, frame: int) -> None:
        super().__init__()
        self._frame = frame

    def fit(self, stretches: list[Stretch]) -> None:
        """Fit to the inputs of `stretches`, float samples of shape (n,)."""
        total = sum(x.size for x, _ in stretches)
        self._mean = sum(float(x.sum(dtype=np.float64)) for x, _ in stretches) / total
        lags = np.zeros(self.ORDER + self._frame)
        for x, _ in stretches:
            centered = self.decode(x) - self._mean
            lags += lagged_products(centered, centered, lags.size) / total
        # Column j: the correlation of the sample j places after the last one with each of the samples before.
        cross = np.lib.stride_tricks.sliding_window_view(lags[1:], self._frame)
        self._weights = solve(lags[: self.ORDER], cross, self.RIDGE)

    def predict(self, x: Signal) -> Prediction:
        """The frame after each whole frame of `x`, end to end; `x` ends with a whole frame."""
        padded = np.concatenate([np.zeros(self.ORDER), self.decode(x) - self._mean])
        ends = padded.size - self._frame * np.arange(x.size // self._frame)[::-1]
        latest_first = np.stack([padded[end - self.ORDER : end][::-1] for end in ends])
        values: Floats = latest_first @ self._weights + self._mean
        return Prediction(values.ravel())

    def arrays(self) -> Arrays:
        return {"weights": self._weights, "mean": np.array([self._mean])}

    def restore(self, arrays: Arrays) -> None:
        self._weights, self._mean = arrays["weights"], float(arrays["mean"][0])
