"""How far an output is from its target."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

# A class that got a probability of exactly 0 would cost infinitely many bits.
SMALLEST_PROBABILITY = 1e-12


def cross_entropy_sum(probabilities: npt.NDArray[np.floating], target: npt.NDArray[np.uint8]) -> float:
    """Sum of -ln p(target) in nats.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, classes)
    target : ndarray of uint8, shape (n,)
    """
    chosen = probabilities[np.arange(len(target)), target].astype(np.float64)
    return float(-np.log(np.maximum(chosen, SMALLEST_PROBABILITY)).sum())


def bits_per_sample(probabilities: npt.NDArray[np.floating], target: npt.NDArray[np.uint8]) -> float:
    """Mean cross-entropy in bits; shapes as in `cross_entropy_sum`."""
    return cross_entropy_sum(probabilities, target) / math.log(2) / target.size


def esr(target: npt.NDArray[np.floating], output: npt.NDArray[np.floating]) -> float | None:
    """Error-to-signal ratio: sum (y - y')^2 / sum y^2, a fraction (Wright et al., 2020, without pre-emphasis).

    None where the target is silent and the output is not: JSON has no infinity.
    """
    y = np.asarray(target, np.float64)
    error = float(np.sum((y - output) ** 2))
    energy = float(np.sum(y**2))
    if not energy:
        return 0.0 if not error else None
    return error / energy


def snr_db(error_to_signal: float | None) -> float | None:
    """Signal-to-noise ratio in dB; None for an exact copy and for a silent target, since JSON has no infinity."""
    return -10 * math.log10(error_to_signal) if error_to_signal else None


def bits_of_error(before: float, now: float) -> float:
    """How many bits a mean squared error has fallen by: one for half its root."""
    return 0.5 * math.log2(max(before, 1e-30) / max(now, 1e-30))


def entropy_bits(indices: npt.NDArray[np.uint8]) -> float:
    """Order-0 entropy of a stretch of classes, in bits per sample."""
    p = np.bincount(indices, minlength=256) / indices.size
    return float(-np.sum(p[p > 0] * np.log2(p[p > 0])))


def order_1_entropy_bits(indices: npt.NDArray[np.uint8]) -> float:
    """Entropy of a class given the one before it, in bits per sample, from counted pairs."""
    pairs = np.bincount(indices[:-1].astype(np.int64) * 256 + indices[1:], minlength=65536) / (indices.size - 1)
    joint = float(-np.sum(pairs[pairs > 0] * np.log2(pairs[pairs > 0])))
    return joint - entropy_bits(indices[:-1])


# FFT size, window and hop in samples of each resolution.
STFT_RESOLUTIONS = ((512, 240, 50), (1024, 600, 120), (2048, 1200, 240))
# Of a magnitude: far below what 8 bits show, so that the logarithm of silence is finite.
SMALLEST_MAGNITUDE = 1e-4
_FRAMES_AT_A_TIME = 1024


def stft_distance(target: npt.NDArray[np.floating], output: npt.NDArray[np.floating]) -> float | None:
    """Multi-resolution STFT distance (Yamamoto et al., 2020): how different two sounds' spectrograms are.

    The mean over `STFT_RESOLUTIONS` of spectral convergence ``|| |Y| - |Y'| || / || |Y| ||`` and the mean of
    ``| ln |Y| - ln |Y'| |``. Phase does not count.

    Parameters
    ----------
    target, output : ndarray of float, shape (n,)
        Those shorter than a window are filled with zeros.

    Returns
    -------
    float or None
        0 for equal spectrograms. None where the target is silent and the output is not: JSON has no infinity.
    """
    if not np.any(target):
        return 0.0 if not np.any(output) else None
    return float(np.mean([_stft_distance(target, output, *resolution) for resolution in STFT_RESOLUTIONS]))


def _stft_distance(
    target: npt.NDArray[np.floating], output: npt.NDArray[np.floating], size: int, window: int, hop: int
) -> float:
    error = energy = logarithms = 0.0
    bins = 0
    for y, other in zip(_magnitudes(target, size, window, hop), _magnitudes(output, size, window, hop), strict=True):
        error += float(np.sum((y - other) ** 2))
        energy += float(np.sum(y**2))
        floored = [np.log(np.maximum(magnitudes, SMALLEST_MAGNITUDE)) for magnitudes in (y, other)]
        logarithms += float(np.sum(np.abs(floored[0] - floored[1])))
        bins += y.size
    return math.sqrt(error / max(energy, SMALLEST_MAGNITUDE**2)) + logarithms / bins


def _magnitudes(x: npt.NDArray[np.floating], size: int, window: int, hop: int) -> Iterator[npt.NDArray[np.float64]]:
    """Blocks of the spectrogram, shape (frames, size // 2 + 1), of frames that lie within the sound."""
    padded = np.pad(x, (0, max(window - x.size, 0))).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    for start in range(0, len(frames), _FRAMES_AT_A_TIME):
        yield np.abs(np.fft.rfft(frames[start : start + _FRAMES_AT_A_TIME] * hann, size))
