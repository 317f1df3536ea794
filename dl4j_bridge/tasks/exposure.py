"""What a network that is to feed on its own output hears in training: noise, and predictions of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.config import TrainSettings

# Steps in which the share of own predictions grows from 0: what a new network predicts teaches nothing.
RAMP_STEPS = 500


def of_segment(
    network: Network, settings: TrainSettings, x: npt.NDArray[Any], number: int, empty: bool
) -> npt.NDArray[Any]:
    """Give the input of update `number` (from 0): as the recording has it, or made worse.

    Noise is drawn anew for each step. Own predictions are scheduled sampling (Bengio et al., "Scheduled Sampling for
    Sequence Prediction with Recurrent Neural Networks", 2015): at each time step of each recording a coin decides
    whether the network hears the recording's frame or what it has just predicted from all that it heard before. The
    share of predictions grows linearly over `RAMP_STEPS` steps. The first frame of a segment is always the recording's.
    The gradient takes the predictions as given.

    Parameters
    ----------
    network
        As the step before left it.
    settings
        With ``input_noise`` and ``scheduled_sampling``; without either `x` is given back.
    x : ndarray of float32, shape (batch, n, frame)
        A segment of the recordings.
    number
        Decides the random numbers, so a resumed run draws the same ones.
    empty
        Whether the segment is a window's first.
    """
    noise = settings.frames.input_noise
    share = settings.frames.scheduled_sampling * min(number / RAMP_STEPS, 1.0)
    if not noise and not share:
        return x
    rng = np.random.default_rng([settings.network.seed, number, 1])
    heard = x + np.float32(noise) * rng.standard_normal(x.shape, np.float32) if noise else x.copy()
    own = rng.random(x.shape[:2]) < share
    own[:, 0] = False
    if own.any():
        predict = network.predictor(len(x), empty)
        for t in range(int(np.flatnonzero(own.any(axis=0))[-1])):
            predicted, chosen = predict(heard[:, t]), own[:, t + 1]
            heard[chosen, t + 1] = predicted[chosen]
    return heard
