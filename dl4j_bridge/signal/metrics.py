"""Metrics of an output against its target."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

# A probability of exactly 0 would make the cross-entropy infinite.
SMALLEST_PROBABILITY = 1e-12


def cross_entropy_sum(probabilities: npt.NDArray[np.floating], target: npt.NDArray[np.uint8]) -> float:
    """Sum the cross-entropy -ln p(target) over samples, in nats.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, classes)
        Probabilities of the classes for each sample.
    target : ndarray of uint8, shape (n,)
        Class of each sample.
    """
    chosen = probabilities[np.arange(len(target)), target].astype(np.float64)
    return float(-np.log(np.maximum(chosen, SMALLEST_PROBABILITY)).sum())


def bits_per_sample(probabilities: npt.NDArray[np.floating], target: npt.NDArray[np.uint8]) -> float:
    """Mean cross-entropy in bits; shapes as in `cross_entropy_sum`."""
    return cross_entropy_sum(probabilities, target) / math.log(2) / target.size


def esr(target: npt.NDArray[np.floating], output: npt.NDArray[np.floating]) -> float | None:
    """Error-to-signal ratio: sum (y - y')^2 / sum y^2, a fraction (Wright et al., 2020, without pre-emphasis).

    None if the target is silent and the output is not, because JSON has no infinity.
    """
    y = np.asarray(target, np.float64)
    error = float(np.sum((y - output) ** 2))
    energy = float(np.sum(y**2))
    if not energy:
        return 0.0 if not error else None
    return error / energy


def snr_db(error_to_signal: float | None) -> float | None:
    """Signal-to-noise ratio in dB; None for an exact copy or a silent target, because JSON has no infinity."""
    return -10 * math.log10(error_to_signal) if error_to_signal else None


def bits_of_error(before: float, now: float) -> float:
    """Reduction of a mean squared error in bits: halving its square root is 1 bit."""
    return 0.5 * math.log2(max(before, 1e-30) / max(now, 1e-30))


def entropy_bits(indices: npt.NDArray[np.integer]) -> float:
    """Order-0 entropy of class indices of any integer type, in bits per sample."""
    counts = np.bincount(indices)
    p = counts[counts > 0] / indices.size
    return float(-np.sum(p * np.log2(p)))


def order_1_entropy_bits(indices: npt.NDArray[np.uint8]) -> float:
    """Entropy of a class given the previous class, in bits per sample, from counts of pairs."""
    pairs = indices[:-1].astype(np.int64) * 256 + indices[1:]
    return entropy_bits(pairs) - entropy_bits(indices[:-1])


# FFT size, window and hop of each resolution, in samples.
STFT_RESOLUTIONS = ((512, 240, 50), (1024, 600, 120), (2048, 1200, 240))
# Lower limit of a magnitude, which keeps the logarithm of silence finite; far below the resolution of 8 bits.
SMALLEST_MAGNITUDE = 1e-4
_FRAMES_AT_A_TIME = 1024


def stft_distance(target: npt.NDArray[np.floating], output: npt.NDArray[np.floating]) -> float | None:
    """Multi-resolution STFT distance (Yamamoto et al., 2020): the distance between two magnitude spectrograms.

    Sum of the spectral convergence ``|| |Y| - |Y'| || / || |Y| ||`` and the mean of ``| ln |Y| - ln |Y'| |``, averaged
    over `STFT_RESOLUTIONS`. Phase is ignored.

    Parameters
    ----------
    target, output : ndarray of float, shape (n,)
        Sounds to compare; those shorter than a window are padded with zeros.

    Returns
    -------
    float or None
        0 for equal spectrograms. None if the target is silent and the output is not, because JSON has no infinity.
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
    """Yield blocks of the magnitude spectrogram, shape (frames, size // 2 + 1), of the frames within the sound."""
    padded = np.pad(x, (0, max(window - x.size, 0))).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    for start in range(0, len(frames), _FRAMES_AT_A_TIME):
        yield np.abs(np.fft.rfft(frames[start : start + _FRAMES_AT_A_TIME] * hann, size))
