"""Measure a network on held-out parts, in stretches side by side."""

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.network import LONG_WARM_UP, WARM_UP, Network
from dl4j_bridge.signal.pairs import Stretch, part_of
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks.interface import Metrics, Signal, Task

# Maximum number of stretches of a part.
STRETCHES = 8
# The thorough validation of a network that may be the best: more time steps in fewer stretches, through which the state
# is carried as in `process`. A network whose state goes astray after some thousand steps shows it only there.
LONG_STRETCHES, LONG_STEPS = 4, 1 << 16


def validate(network: Network, task: Task, signals: list[Stretch], steps: int) -> Metrics:
    """Measure a network on short stretches of at most `steps` time steps in all."""
    return task.measure(*_outputs(network, signals, steps, STRETCHES, WARM_UP))


def validate_long(network: Network, task: Task, signals: list[Stretch]) -> Metrics:
    """Measure a network on long stretches."""
    return task.measure(*long_outputs(network, signals))


def long_outputs(network: Network, signals: list[Stretch]) -> tuple[list[npt.NDArray[np.float32]], Signal]:
    """Outputs on long stretches, and the target there."""
    return _outputs(network, signals, LONG_STEPS, LONG_STRETCHES, LONG_WARM_UP)


def loss_of(task: Task, valid: Metrics) -> float:
    """The validation metric that training minimizes."""
    loss = valid[task.loss]
    assert loss is not None, "a network always has a loss"
    return loss


def _outputs(
    network: Network, signals: list[Stretch], steps: int, most_stretches: int, warm_up: int
) -> tuple[list[npt.NDArray[np.float32]], Signal]:
    """Outputs on the validation parts of several pairs, and the targets of all together.

    Parameters
    ----------
    network
        The network.
    signals
        Input and target of each pair, whole.
    steps
        Maximum number of time steps, in stretches that are evenly spread over the validation parts.
    most_stretches
        Maximum number of stretches of a pair.
    warm_up
        Time steps before each stretch that are not measured.
    """
    found = stretches(signals, steps, most_stretches, warm_up)
    outputs = _side_by_side(network, [x for x, _ in found])
    evaluated = [output[-len(y) :] for output, (_, y) in zip(outputs, found, strict=True)]
    return evaluated, np.concatenate([y for _, y in found])


def stretches(signals: list[Stretch], steps: int, most: int = STRETCHES, warm_up: int = WARM_UP) -> list[Stretch]:
    """Stretches of the validation parts of several pairs; parameters as of `_outputs`.

    The input of each begins up to `warm_up` time steps before its target.
    """
    parts = [part_of(len(x), "valid") for x, _ in signals]
    total = sum(where.stop - where.start for where in parts)
    found: list[Stretch] = []
    for (x, y), where in zip(signals, parts, strict=True):
        size = where.stop - where.start
        samples = min(size, max(steps * size // total, 1))
        # Stretches that are shorter than their warm-up cost more than one long one, and carry the state less far.
        count = min(most, max(samples // max(warm_up, 1), 1))
        length = samples // count
        for start in starts(size, length, count, where.start):
            found.append((x[max(start - warm_up, 0) : start + length], y[start : start + length]))
    return found


def _side_by_side(network: Network, recordings: list[Signal]) -> list[npt.NDArray[np.float32]]:
    """Outputs for recordings of any lengths: the shorter ones are filled up with zeros."""
    longest = max(recordings, key=len)
    together = np.zeros((len(recordings), *longest.shape), longest.dtype)
    for row, x in zip(together, recordings, strict=True):
        row[: len(x)] = x
    return [output[: len(x)] for output, x in zip(network.run_batch(together), recordings, strict=True)]
