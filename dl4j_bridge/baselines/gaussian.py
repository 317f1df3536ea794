"""From a predicted value to probabilities of classes: a Gaussian around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dl4j_bridge.codec import CLASSES, SILENCE, Codec

# Of the mass, spread over all classes, so that no sample costs infinitely many bits.
UNIFORM_SHARE = 1e-3


def deviation(codec: Codec, residual: float) -> float:
    """Standard deviation for a root-mean-square residual: not below the error of rounding to 8 bits."""
    return max(residual, 1 / (4 * codec.scale))


def masses(codec: Codec, values: npt.NDArray[np.float64], deviation: float) -> npt.NDArray[np.float32]:
    """Give each class the Gaussian's mass between its decision thresholds.

    Parameters
    ----------
    codec
        Gives the thresholds.
    values : ndarray of float64, shape (n,)
        Centres.
    deviation
        Standard deviation.

    Returns
    -------
    ndarray of float32, shape (n, 256)
        Rows sum to 1.
    """
    from scipy.special import ndtr

    levels = np.arange(0.5 - SILENCE, SILENCE - 1, dtype=np.float64) / codec.scale
    thresholds = codec.expand(levels)
    # Nothing is encoded below -1, where mu-law has a class of its own.
    thresholds[levels < -1] = -np.inf
    below = ndtr((thresholds - values[:, None]) / deviation)
    edges = np.concatenate([np.zeros((values.size, 1)), below, np.ones((values.size, 1))], axis=1)
    return ((1 - UNIFORM_SHARE) * np.diff(edges, axis=1) + UNIFORM_SHARE / CLASSES).astype(np.float32)
