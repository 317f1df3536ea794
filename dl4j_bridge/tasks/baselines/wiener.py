"""A fixed filter: of each frequency as much as the stem has of the mixture's power on average (Wiener, 1949)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Its name in a model file.
WIENER = "wiener/gain"


def wiener_gain(stretches: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]) -> npt.NDArray[np.float32]:
    """Fit it on magnitudes of mixtures and stems.

    Parameters
    ----------
    stretches
        Pairs of (mixture, stem), each of shape (n, bins).

    Returns
    -------
    ndarray of float32, shape (bins,)
        Between 0 and 1.
    """
    mixture, stem = (
        np.sum([np.square(stretch[side], dtype=np.float64).sum(axis=0) for stretch in stretches], axis=0)
        for side in (0, 1)
    )
    gain = np.divide(stem, mixture, out=np.zeros_like(stem), where=mixture > 0)
    return np.asarray(gain.clip(0, 1), np.float32)
