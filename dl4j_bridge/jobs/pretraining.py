"""A recurrent autoencoder whose recurrent layers a network starts from.

Dai and Le, "Semi-supervised Sequence Learning" (2015), start a supervised LSTM from the weights of one that was trained
to reproduce its own input. Theirs reads a whole sequence first; here the network answers at each time step, so it
reproduces its input of `delay` steps ago: 0 needs no memory, more does (Jaeger, "Short term memory in echo state
networks", 2001, measures memory so).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.session import Stopwatch
from dl4j_bridge.model.run import Progress, Report, Run
from dl4j_bridge.settings.training import SmallDataSettings
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.interface import Signal, Task
from dl4j_bridge.tasks.update import segments, step

# Kinds of input and output between which a network can reproduce its input.
_SAME = (("one-hot", "softmax"), ("dense", "linear"))


def check(settings: SmallDataSettings, task: Task) -> None:
    """Refuse a task whose input cannot be its output.

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


def pretrain(run: Run, stretches: list[Stretch], report: Report, interrupted: Callable[[], bool]) -> str | None:
    """Train an autoencoder and copy its recurrent layers; returns the reason to stop, if there is one."""
    settings, small = run.settings, run.settings.small_data
    network = Network.create(settings.network, run.task.interface)
    copying = autoencoder_stretches(stretches, small.pretrain_delay, run.task.predicts)
    windows = Windows(copying, settings.run.length, settings.run.batch, settings.network.seed)
    watch = Stopwatch()
    values: dict[str, float] = {}
    for number in range(small.pretrain_steps):
        loss, accuracy, steps = step(network, windows, settings, number, run.task)
        run.check_finite(loss, number + 1)
        seconds = watch.trained(steps * run.task.hop)
        values = run.task.step_metrics(loss, accuracy)
        epochs = windows.epochs((number + 1) / segments(settings))
        done = (number + 1) / small.pretrain_steps
        left = seconds * (1 - done) / done
        report(Progress(number + 1, epochs, seconds, values, watch.samples_per_second, done, left, None, True))
        if interrupted():
            return "interrupted"
    run.network.copy_recurrent_layers(network)
    run.info = replace(run.info, pretraining={"steps": small.pretrain_steps, **values})
    return None


def autoencoder_stretches(training: list[Stretch], delay: int, predicts: str) -> list[Stretch]:
    """Every recording as its own target.

    Parameters
    ----------
    training
        Input and target of each recording.
    delay
        Time steps by which the target lags.
    predicts
        As of the task: where it is ``target``, the targets are recordings of their own.

    Returns
    -------
    list of (ndarray, ndarray)
        As long as the recordings; the first value is repeated until the delay is over.
    """
    recordings: list[Signal] = [x for x, _ in training]
    if predicts == "target":
        recordings += [y for _, y in training]
    return [(x, np.concatenate([x[:1].repeat(delay, axis=0), x[: len(x) - delay]])) for x in recordings]
