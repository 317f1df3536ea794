"""The best linear filter."""

import numpy as np

from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Floats, Signal, blocks
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline
from dl4j_bridge.tasks.baselines.normal_equations import lagged_products, solve


class Fir(GaussianBaseline):
    """The causal least-squares FIR filter (Wiener, 1949), with a Gaussian residual.

    Parameters
    ----------
    codec
        As for `Baseline`.
    taps
        Length of the filter in samples.
    """

    name = "fir"
    fitted = (*GaussianBaseline.fitted, "taps", "offsets")
    TAPS = 128

    def __init__(self, codec: Codec | None = None, taps: int = TAPS) -> None:
        super().__init__(codec)
        self._length = taps
        self.memory = taps - 1

    def fit(self, stretches: list[Stretch]) -> None:
        count = sum(len(y) for _, y in stretches)
        sums = [[self.decode(side).sum() for side in sides] for sides in blocks(stretches)]
        self.offsets = np.sum(sums, axis=0) / count
        auto, cross = np.zeros(self._length), np.zeros(self._length)
        for x, y in blocks(stretches, self.memory):
            past = self.decode(x) - self.offsets[0]
            auto += lagged_products(past, past[-len(y) :], self._length)
            cross += lagged_products(past, self.decode(y) - self.offsets[1], self._length)
        self.taps = solve(auto, cross, ridge=1e-7)
        self._fit_deviation(stretches)

    def values(self, x: Signal) -> Floats:
        from scipy.signal import oaconvolve

        centered = self.decode(x) - self.offsets[0]
        return np.asarray(oaconvolve(centered, self.taps)[: len(x)] + self.offsets[1], np.float64)
