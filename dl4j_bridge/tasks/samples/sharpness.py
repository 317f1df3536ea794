"""How sharp the distributions of a trained network should be."""

from collections.abc import Iterable

import numpy as np

from dl4j_bridge.signal.metrics import bits_per_sample
from dl4j_bridge.tasks.samples.decoding import Indices, Probabilities

# Smallest and largest factor on the logits, and the number of samples that decide.
RANGE = 0.5, 2.0
SAMPLES = 1 << 14
# Bits a sample below which nothing is changed, so that a network that was scaled before stays as it is.
LEAST_GAIN = 0.001


def sharpness(outputs: Iterable[Probabilities], target: Indices) -> float:
    """Factor on the logits with the smallest cross-entropy: temperature scaling (Guo et al., 2017).

    A learning rate that falls to zero leaves distributions that are too flat: the errors shrink with the rate, and the
    logits no longer have the time to follow.

    Parameters
    ----------
    outputs
        Blocks of distributions, shape (m, classes), `target.size` rows in all.
    target : ndarray of uint8, shape (n,)
        The true classes; of samples that the network was not trained with.

    Returns
    -------
    float
        Above 1 where the distributions are too flat; within `RANGE`. Exactly 1 where less than `LEAST_GAIN` is gained.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    chosen = np.linspace(0, target.size - 1, min(target.size, SAMPLES)).astype(np.int64)
    logits = np.log(np.maximum(np.concatenate(list(outputs))[chosen], 1e-30))

    def bits(log_factor: float) -> float:
        return bits_per_sample(softmax(np.exp(log_factor) * logits, axis=1), target[chosen])

    low, high = np.log(RANGE)
    best = minimize_scalar(bits, bounds=(low, high), method="bounded", options={"xatol": 0.01})
    return float(np.exp(best.x)) if bits(0.0) - best.fun > LEAST_GAIN else 1.0
