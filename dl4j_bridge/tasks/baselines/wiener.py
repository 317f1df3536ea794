"""A fixed gain for each frequency: the share of the target in the power of the input."""

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, Signal


class Wiener(Baseline):
    """The Wiener filter (Wiener, 1949) of magnitudes, float32 of shape (n, bins).

    Attributes
    ----------
    gain : ndarray of float32, shape (bins,)
        Gain of each frequency, between 0 and 1.
    """

    name = "wiener"
    fitted = ("gain",)
    gain: npt.NDArray[np.float32]

    def fit(self, stretches: list[Stretch]) -> None:
        mixture, stem = (
            np.sum([np.square(stretch[side], dtype=np.float64).sum(axis=0) for stretch in stretches], axis=0)
            for side in (0, 1)
        )
        gain = np.divide(stem, mixture, out=np.zeros_like(stem), where=mixture > 0)
        self.gain = np.asarray(gain.clip(0, 1), np.float32)

    def predict(self, x: Signal) -> Prediction:
        return Prediction(x * self.gain)
