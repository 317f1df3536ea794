"""Float samples <-> 8-bit class indices, and pre-emphasis with its exact inverse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

CLASSES = 256
MU = 255.0
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


def _identity(x: Floats) -> Floats:
    return np.asarray(x, np.float64)


def _mu_law(x: Floats) -> Floats:
    """ITU-T G.711's continuous mu-law curve with mu = 255."""
    x = np.clip(np.asarray(x, np.float64), -1.0, 1.0)
    return np.asarray(np.sign(x) * np.log1p(MU * np.abs(x)) / np.log1p(MU))


def _inverse_mu_law(y: Floats) -> Floats:
    # Class 0 stands one level below -1; nothing is encoded there.
    y = np.clip(y, -1.0, 1.0)
    return np.asarray(np.sign(y) * np.expm1(np.abs(y) * np.log1p(MU)) / MU)


# 128 levels to 1 as in an 8-bit unsigned wav, so that such a file comes back byte for byte.
LINEAR = Codec("linear", _identity, _identity, 128.0, "PCM_U8")
# 127 levels to 1: with a class for exactly 0, silence stays silent.
MULAW = Codec("mulaw", _mu_law, _inverse_mu_law, 127.0, "PCM_16")

_CODECS = {codec.name: codec for codec in (LINEAR, MULAW)}


def get_codec(name: str, source_is_8_bit: bool = False) -> Codec:
    """Find a codec by name; ``auto`` is linear for an 8-bit source and mu-law else."""
    if name == "auto":
        return LINEAR if source_is_8_bit else MULAW
    return _CODECS[name]


class PreEmphasis:
    """y[t] = (x[t] - a x[t-1]) / (1 + a) over blocks; the division keeps -1 to 1 within -1 to 1.

    Parameters
    ----------
    coefficient
        a; 0 passes everything through.
    """

    def __init__(self, coefficient: float) -> None:
        self._a = coefficient
        self._last = 0.0

    def push(self, x: npt.NDArray[np.floating]) -> Floats:
        samples = np.asarray(x, np.float64)
        if not self._a or not len(samples):
            return samples
        before = np.concatenate([[self._last], samples[:-1]])
        self._last = float(samples[-1])
        return (samples - self._a * before) / (1 + self._a)


class DeEmphasis:
    """The inverse of `PreEmphasis`: x[t] = (1 + a) y[t] + a x[t-1], over blocks."""

    def __init__(self, coefficient: float) -> None:
        self._a = coefficient
        self._state = np.zeros(1)

    def push(self, y: npt.NDArray[np.floating]) -> Floats:
        emphasised = np.asarray(y, np.float64)
        if not self._a or not len(emphasised):
            return emphasised
        from scipy.signal import lfilter

        x, self._state = lfilter([1 + self._a], [1.0, -self._a], emphasised, zi=self._state)
        return np.asarray(x, np.float64)
