"""A scalar quantizer between float samples and 8-bit class indices."""

from __future__ import annotations

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
    """A scalar quantiser with 256 levels, of which `SILENCE` is 0.

    Attributes
    ----------
    name
        As `--codec` names it.
    compress, expand
        The curve applied before uniform quantisation, on -1 to 1, and its inverse.
    scale
        Levels between 0 and 1.
    subtype
        libsndfile's sample format that loses nothing of what argmax decoding gives.
    """

    name: str
    compress: Callable[[Floats], Floats]
    expand: Callable[[Floats], Floats]
    scale: float
    subtype: str

    def encode(self, x: npt.NDArray[np.floating]) -> Indices:
        """Quantise.

        Parameters
        ----------
        x : ndarray of float, any shape
            Nominally -1 to 1; what is beyond is clipped.

        Returns
        -------
        ndarray of uint8, shape of `x`
            0 to 255, `SILENCE` for 0.
        """
        levels = np.rint(self.compress(x) * self.scale) + SILENCE
        return np.asarray(np.clip(levels, 0, CLASSES - 1), np.uint8)

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """The sample value of each class; shape (256,)."""
        return self.expand((np.arange(CLASSES) - float(SILENCE)) / self.scale).astype(np.float64)

    def decode(self, indices: Indices) -> npt.NDArray[np.float64]:
        """Give each class its sample value; the inverse of `encode` up to half a step."""
        return self.values[indices]
