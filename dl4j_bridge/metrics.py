"""How far an output is from its target."""

from __future__ import annotations

import math

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


def entropy_bits(indices: npt.NDArray[np.uint8]) -> float:
    """Order-0 entropy of a stretch of classes, in bits per sample."""
    p = np.bincount(indices, minlength=256) / indices.size
    return float(-np.sum(p[p > 0] * np.log2(p[p > 0])))


def order_1_entropy_bits(indices: npt.NDArray[np.uint8]) -> float:
    """Entropy of a class given the one before it, in bits per sample, from counted pairs."""
    pairs = np.bincount(indices[:-1].astype(np.int64) * 256 + indices[1:], minlength=65536) / (indices.size - 1)
    joint = float(-np.sum(pairs[pairs > 0] * np.log2(pairs[pairs > 0])))
    return joint - entropy_bits(indices[:-1])
