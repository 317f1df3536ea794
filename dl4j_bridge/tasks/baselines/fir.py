"""The best linear filter: what a convolution would do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dl4j_bridge.tasks.baselines.base import Arrays, Indices, Stretch, blocks
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline

Floats = npt.NDArray[np.float64]


class Fir(GaussianBaseline):
    """The causal least-squares FIR filter (Wiener, 1949), with the residual taken as Gaussian.

    The normal equations are Toeplitz and solved by Levinson's recursion (`scipy.linalg.solve_toeplitz`).
    """

    name = "fir"
    TAPS = 128
    memory = TAPS - 1

    def fit(self, stretches: list[Stretch]) -> None:
        from scipy.linalg import solve_toeplitz

        decode = self.codec.decode
        count = sum(y.size for _, y in stretches)
        sums = [[decode(side).sum() for side in sides] for sides in blocks(stretches)]
        self._offsets = np.sum(sums, axis=0) / count
        auto, cross = np.zeros(self.TAPS), np.zeros(self.TAPS)
        for x, y in blocks(stretches, self.memory):
            past = decode(x) - self._offsets[0]
            auto += _lags(past, past[-y.size :], self.TAPS)
            cross += _lags(past, decode(y) - self._offsets[1], self.TAPS)
        # Quiet bands of the input would make the equations singular.
        auto[0] = auto[0] * (1 + 1e-7) + 1e-12
        self._taps = solve_toeplitz(auto, cross)
        self._fit_deviation(stretches)

    def values(self, x: Indices) -> Floats:
        from scipy.signal import oaconvolve

        centred = self.codec.decode(x) - self._offsets[0]
        return np.asarray(oaconvolve(centred, self._taps)[: x.size] + self._offsets[1], np.float64)

    def arrays(self) -> Arrays:
        return super().arrays() | {"taps": self._taps, "offsets": self._offsets}

    def restore(self, arrays: Arrays) -> None:
        super().restore(arrays)
        self._taps = arrays["taps"]
        self._offsets = arrays["offsets"]


def _lags(past: Floats, y: Floats, count: int) -> Floats:
    """sum_t past[t - lag] y[t] for each lag below `count`; both end at the same time, `past` starts earlier."""
    from scipy.signal import correlate

    before = np.concatenate([np.zeros(count), past])[-(y.size + count - 1) :]
    return np.asarray(correlate(before, y, "valid", "fft")[::-1])
