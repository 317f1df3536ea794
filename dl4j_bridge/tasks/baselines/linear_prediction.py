"""The least-squares linear prediction of a whole frame."""

import numpy as np

from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, Signal
from dl4j_bridge.tasks.baselines.normal_equations import lagged_products, solve


class LinearPrediction(Baseline):
    """Predicts the next frame of float samples from the `ORDER` samples before it (Wiener, 1949).

    Parameters
    ----------
    frame
        Length of a frame in samples.
    """

    name = "linear"
    fitted = ("weights", "mean")
    ORDER = 512
    RIDGE = 1e-4
    memory = ORDER

    def __init__(self, frame: int) -> None:
        super().__init__()
        self._frame = frame

    def fit(self, stretches: list[Stretch]) -> None:
        """Fit to the inputs of `stretches`, float samples of shape (n,)."""
        total = sum(x.size for x, _ in stretches)
        self.mean = np.array([sum(float(x.sum(dtype=np.float64)) for x, _ in stretches) / total])
        lags = np.zeros(self.ORDER + self._frame)
        for x, _ in stretches:
            centered = self.decode(x) - self.mean
            lags += lagged_products(centered, centered, lags.size) / total
        # Column j has the correlation of sample j of the frame with each of the samples before the frame.
        cross = np.lib.stride_tricks.sliding_window_view(lags[1:], self._frame)
        self.weights = solve(lags[: self.ORDER], cross, self.RIDGE)

    def predict(self, x: Signal) -> Prediction:
        """Predict the frame after each whole frame of `x`, which ends with a whole frame; concatenated."""
        padded = np.concatenate([np.zeros(self.ORDER), self.decode(x) - self.mean])
        ends = padded.size - self._frame * np.arange(x.size // self._frame)[::-1]
        latest_first = np.stack([padded[end - self.ORDER : end][::-1] for end in ends])
        return Prediction((latest_first @ self.weights + self.mean).ravel())
