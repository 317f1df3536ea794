"""Mu-law quantization: fine steps near zero, coarse ones near full scale."""

import numpy as np

from dl4j_bridge.signal.codecs.codec import Codec, Floats

MU = 255.0


def _compress(x: Floats) -> Floats:
    """The continuous mu-law curve of ITU-T G.711 with mu = 255."""
    x = np.clip(np.asarray(x, np.float64), -1.0, 1.0)
    return np.asarray(np.sign(x) * np.log1p(MU * np.abs(x)) / np.log1p(MU))


def _expand(y: Floats) -> Floats:
    # Class 0 is one level below -1, which `encode` never returns.
    y = np.clip(y, -1.0, 1.0)
    return np.asarray(np.sign(y) * np.expm1(np.abs(y) * np.log1p(MU)) / MU)


# With 127 levels between 0 and 1 one class is exactly 0, so silence stays silent.
MULAW = Codec("mulaw", _compress, _expand, 127.0, "PCM_16")
