"""A scalar quantizer between float samples and 8-bit class indices."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

CLASSES = 256
# The class of sample value 0, in every codec.
SILENCE = 128


@dataclass(frozen=True)
class Codec:
    """A scalar quantizer with 256 levels; class `SILENCE` is the sample value 0.

    Attributes
    ----------
    name
        Value of the option `--codec`.
    compress, expand
        Curve on -1 to 1 that is applied before uniform quantization, and its inverse.
    scale
        Number of levels between 0 and 1.
    subtype
        Sample format in libsndfile that stores all sample values of the codec without loss.
    """

    name: str
    compress: Callable[[Floats], Floats]
    expand: Callable[[Floats], Floats]
    scale: float
    subtype: str

    def encode(self, x: npt.NDArray[np.floating]) -> Indices:
        """Quantize samples.

        Parameters
        ----------
        x : ndarray of float, any shape
            Samples, nominally -1 to 1; values outside that range are clipped.

        Returns
        -------
        ndarray of uint8, shape of `x`
            Class indices, 0 to 255.
        """
        levels = np.rint(self.compress(x) * self.scale) + SILENCE
        return np.asarray(np.clip(levels, 0, CLASSES - 1), np.uint8)

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Sample value of each class, shape (256,)."""
        return self.expand((np.arange(CLASSES) - float(SILENCE)) / self.scale).astype(np.float64)

    def decode(self, indices: Indices) -> npt.NDArray[np.float64]:
        """Return the sample value of each class index: the inverse of `encode` up to half a step."""
        return self.values[indices]
