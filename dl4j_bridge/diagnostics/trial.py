"""Short training runs of fresh networks."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.tasks.update import step

# Number of steps that a level is the mean of.
LAST = 10
# Number of steps that the size of the updates is the mean of.
FIRST = 5


@dataclass(frozen=True)
class Effort:
    """How long a trial may take.

    Attributes
    ----------
    samples
        Maximum number of time steps to train on; the number of updates follows from batch and segment.
    least, most
        Bounds of the number of updates, whatever their size.
    """

    samples: int
    least: int
    most: int

    def steps(self, settings: TrainSettings) -> int:
        """Number of updates in a trial."""
        size = settings.run.batch * settings.network.tbptt
        return max(self.least, min(self.most, self.samples // size))


QUICK, FULL = Effort(200_000, 120, 1500), Effort(640_000, 300, 4000)


@dataclass
class Trial:
    """A short training run of a fresh network.

    Attributes
    ----------
    settings
        Settings that it was trained with.
    network
        The network after the last step.
    losses, accuracy
        Values of each step before its update, as `Network.step` returns them; a loss of classes is in bits per sample.
    update
        L2 norm of an update relative to that of the parameters, as the mean over the first steps.
    figures
        What a report shows of it, see `Criterion.figures`.
    """

    settings: TrainSettings
    network: Network
    losses: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    update: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        return math.isfinite(self.losses[-1])

    @property
    def level(self) -> float:
        """Loss at the end; NaN if one of the last losses is."""
        return float(np.mean(self.losses[-LAST:]))

    @property
    def exact(self) -> float:
        """Accuracy at the end."""
        return float(np.mean(self.accuracy[-LAST:]))

    def conditions(self) -> dict[str, Any]:
        """What it was trained with, and for how many steps; JSON types only."""
        chosen = {name: getattr(self.settings.network, name) for name in ("init", "updater", "learning_rate")}
        update = self.update if math.isfinite(self.update) else None
        return chosen | {"steps": len(self.losses), "update_ratio": update}


def as_fused(settings: TrainSettings) -> TrainSettings:
    """The same settings with the fused layers, which compute what stock layers compute in less time."""
    return replace(settings, network=replace(settings.network.resolved(), layer="fused"))


def train_briefly(
    settings: TrainSettings, task: Task, stretch: Stretch, steps: int, enough: Callable[[Trial], bool]
) -> Trial:
    """Train a fresh network until it is good `enough`, the loss is not finite, or `steps` updates are made.

    Parameters
    ----------
    settings
        Settings of network and windows.
    task
        Gives the network's interface and the weights of its loss.
    stretch
        Input and target, as the task's signals are.
    steps
        Maximum number of updates.
    enough
        Called after every step but the first `LAST`.
    """
    run = replace(settings.run, length=min(settings.run.length, len(stretch[0])))
    network = replace(settings.network, tbptt=min(settings.network.tbptt, run.length))
    settings = replace(settings, run=run, network=network)
    windows = Windows([stretch], run.length, run.batch, network.seed)
    trial = Trial(settings, Network.create(network, task.interface))
    before = trial.network.parameters()
    ratios = []
    for number in range(steps):
        loss, accuracy, _ = step(trial.network, windows, settings, number, task)
        trial.losses.append(loss)
        trial.accuracy.append(accuracy)
        if not math.isfinite(loss):
            break
        if number < FIRST:
            after = trial.network.parameters()
            ratios.append(float(np.linalg.norm(after - before) / np.linalg.norm(before)))
            trial.update = float(np.mean(ratios))
            before = after
        if number >= LAST and enough(trial):
            break
    return trial
