"""A recurrent autoencoder whose recurrent layers a network begins with.

Dai and Le, "Semi-supervised Sequence Learning" (2015) begin a supervised LSTM with the weights of one that was trained
to give back its own input. Theirs reads a whole sequence first; here the network answers at each time step, so it gives
back what came in `delay` steps ago: 0 needs no memory, more does (Jaeger, "Short term memory in echo state networks",
2001, measures memory so).
"""

from __future__ import annotations

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.config import SmallDataSettings
from dl4j_bridge.tasks.interface import Signal, Stretch, Task

# Kinds of input and output between which a network can give back what it heard.
_SAME = (("one-hot", "softmax"), ("dense", "linear"))


def check(settings: SmallDataSettings, task: Task) -> None:
    """Refuse a task whose input is no possible output.

    Raises
    ------
    InputError
        Names the task.
    """
    ends = task.interface
    if settings.pretrain != "none" and (ends.inputs != ends.outputs or (ends.input, ends.output) not in _SAME):
        raise InputError(
            "--pretrain",
            f"{settings.pretrain} with --task {task.name}",
            "wanted a task whose output is of its input's kind",
        )


def stretches(training: list[Stretch], delay: int, predicts: str) -> list[Stretch]:
    """What the autoencoder learns from: every recording as its own target.

    Parameters
    ----------
    training
        Input and target of each recording.
    delay
        Time steps by which the target comes later.
    predicts
        Of the task: where it is ``target``, the targets are recordings of their own.

    Returns
    -------
    list of (ndarray, ndarray)
        As long as they were; before the delay is over the first value comes out.
    """
    recordings: list[Signal] = [x for x, _ in training]
    if predicts == "target":
        recordings += [y for _, y in training]
    return [(x, np.concatenate([x[:1].repeat(delay, axis=0), x[: len(x) - delay]])) for x in recordings]
