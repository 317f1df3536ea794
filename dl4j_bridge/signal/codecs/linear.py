"""Uniform quantization, as in an 8-bit unsigned wav."""

import numpy as np

from dl4j_bridge.signal.codecs.codec import Codec, Floats


def _identity(x: Floats) -> Floats:
    return np.asarray(x, np.float64)


# With 128 levels between 0 and 1, an 8-bit unsigned wav is reproduced byte for byte.
LINEAR = Codec("linear", _identity, _identity, 128.0, "PCM_U8")
