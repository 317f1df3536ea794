"""The filters for samples that stay numbers: the same fits without a quantiser, longer, as 44.1 kHz want them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codec import Codec, Indices
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein


class _Unquantised(Codec):
    """Where a baseline decodes classes, it gets the samples themselves."""

    def encode(self, x: npt.NDArray[np.floating]) -> Any:
        return x

    def decode(self, indices: Indices | npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray(indices, np.float64)


UNQUANTISED = _Unquantised("none", np.asarray, np.asarray, math.inf, "FLOAT")


class LongFir(Fir):
    """23 ms at 44.1 kHz: a loudspeaker's cabinet, but no room."""

    TAPS = 1024
    memory = TAPS - 1


class LongWienerHammerstein(WienerHammerstein):
    """1.5 ms at 44.1 kHz in front of the curve and behind it: twice the taps take eight times as long to fit."""

    TAPS = 64
    memory = 2 * (TAPS - 1)


def unfitted() -> list[GaussianBaseline]:
    """One of each; `values` says what it makes of samples, ndarray of float, shape (n,)."""
    return [LongFir(UNQUANTISED), LongWienerHammerstein(UNQUANTISED)]
