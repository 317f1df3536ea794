"""Training input for a network that is to feed on its own output: noise, and predictions of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.network import Network

# Steps in which the share of own predictions grows from 0: predictions of a new network teach nothing.
RAMP_STEPS = 500


def exposed(
    network: Network, x: npt.NDArray[Any], noise: float, sampling: float, seed: tuple[int, int], first: bool
) -> npt.NDArray[Any]:
    """The input of an update: as the recording has it, or with noise and own predictions.

    Noise is new for each step. Own predictions are scheduled sampling (Bengio et al., "Scheduled Sampling for Sequence
    Prediction with Recurrent Neural Networks", 2015): at each time step of each recording, chance decides whether the
    network gets the recording's frame or its own prediction from all that it consumed before. The share of predictions
    grows linearly over `RAMP_STEPS` steps. The first frame of a segment is always the recording's. The gradient takes
    the predictions as given.

    Parameters
    ----------
    network
        The network as the step before left it.
    x : ndarray of float32, shape (batch, n, frame)
        A segment of the recordings; it is returned if neither noise nor predictions are wanted.
    noise
        Standard deviation, in the units of `x`.
    sampling
        Share of own predictions, 0 to 1.
    seed
        The seed of the run, and the number of the update (from 0), so that a resumed run uses the same random numbers.
    first
        Whether the segment is a window's first.
    """
    share = sampling * min(seed[1] / RAMP_STEPS, 1.0)
    if not noise and not share:
        return x
    rng = np.random.default_rng([*seed, 1])
    found = x + np.float32(noise) * rng.standard_normal(x.shape, np.float32) if noise else x.copy()
    own = rng.random(x.shape[:2]) < share
    own[:, 0] = False
    if own.any():
        predict = network.predictor(len(x), first)
        for t in range(int(np.flatnonzero(own.any(axis=0))[-1])):
            predicted, chosen = predict(found[:, t]), own[:, t + 1]
            found[chosen, t + 1] = predicted[chosen]
    return found
