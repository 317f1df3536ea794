"""How the success of a network is measured: the skeleton that classes and vectors share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Finding, Kind
from dl4j_bridge.diagnostics.trial import Trial, train_briefly
from dl4j_bridge.java.network import WARM_UP, Network
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks.interface import Signal, Task

STUCK_AT_MARGINAL = Kind("stuck-at-marginal")
SLOW_LEARNING = Kind("slow-learning", WARNING)

MARGINAL_FIX = "the target does not follow from this input: look at the pair, --align and the order of your tensors"
# An error to signal above which an error can be heard, and the same as a signal-to-noise ratio in dB.
POOR, POOR_DB = 0.01, 20.0

Rows = list[dict[str, Any]]


class Criterion(ABC):
    """Measures of a network, and the thresholds at which they count.

    Parameters
    ----------
    task
        The task of the network.

    Attributes
    ----------
    unit
        Last word of the names of errors: ``bits`` or ``share``.
    look_every
        Number of steps from one test of whether a trial has learned the identity to the next.
    identity_settles
        Whether a trial on the identity runs until it is learned in full. If so, a network that fails on the identity
        fails on every pair. If not, the identity proves little without a pair, and the pair is tried in any case.
    next_trial
        Name of the trial on what comes next.
    simplest
        Key of `simplest_errors` in a report; empty to leave them out.
    lower_is_better
        Whether the best one of some `scores` is the lowest.
    """

    unit: ClassVar[str]
    look_every: ClassVar[int]
    identity_settles: ClassVar[bool]
    next_trial: ClassVar[str]
    simplest: ClassVar[str]
    lower_is_better: ClassVar[bool]

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def signals(self, case: Case) -> Stretch:
        """Input and target of a pair as the task has them, with the delay cut out."""

    # ---- errors of a network

    @abstractmethod
    def error(self, outputs: Signal, target: Signal) -> float:
        """Error of outputs, shape (rows, n, width), against a target, shape (rows, n, ...), in `unit`."""

    @abstractmethod
    def pieces(self, stretch: Stretch) -> tuple[int, int]:
        """Number and length of the pieces of a stretch on which an error is measured."""

    def error_on(self, network: Network, stretch: Stretch) -> float:
        """Error of a network on pieces from all over a stretch, in `unit`."""
        x, y = stretch
        count, length = self.pieces(stretch)
        first = starts(len(x), length, count)
        # Each piece begins with an empty state: its first outputs show little of the network.
        warm_up = min(length // 2, WARM_UP)
        outputs = network.run_batch(np.stack([x[s : s + length] for s in first]))[:, warm_up:]
        return self.error(outputs, np.stack([y[s : s + length] for s in first])[:, warm_up:])

    @abstractmethod
    def simplest_errors(self, signals: Stretch) -> dict[str, float]:
        """Errors of the simplest model, fitted on the training part, on the parts ``train`` and ``valid``."""

    # ---- trials

    def trial(self, settings: TrainSettings, stretch: Stretch, steps: int, enough: Callable[[Trial], bool]) -> Trial:
        """Train a fresh network, see `train_briefly`; the trial comes with its figures."""
        trial = train_briefly(settings, self.task, stretch, steps, enough)
        trial.figures = self.figures(trial, stretch)
        return trial

    @abstractmethod
    def figures(self, trial: Trial, stretch: Stretch) -> dict[str, Any]:
        """What a report shows of a trial; an error that is not finite is None, since JSON has no NaN."""

    def curve(self, trial: Trial) -> dict[str, list[float]]:
        """Up to 200 points of the loss over steps, without those that are not finite."""
        every = max(len(trial.losses) // 200, 1)
        at = [k for k in range(0, len(trial.losses), every) if math.isfinite(trial.losses[k])]
        return {"step": [k + 1 for k in at], "loss": [trial.losses[k] for k in at]}

    @abstractmethod
    def learned(self, stretch: Stretch) -> Callable[[Trial], bool]:
        """A function that is True for trials that have learned the identity of a stretch."""

    def floors(self, stretch: Stretch) -> dict[str, Any]:
        """Figures of the levels at which the loss of a stretch stands still, if there are such."""
        return {}

    @abstractmethod
    def simple_models(self, signals: Stretch) -> dict[str, Any]:
        """Figures of what simple models reach on the training part."""

    @abstractmethod
    def is_stuck(self, trial: Trial, error: float, simple: dict[str, Any]) -> bool:
        """Whether a trial has learned nothing of a pair that `simple_models` make something of.

        Parameters
        ----------
        trial
            A trial on the pair.
        error
            Its error on the training part, in `unit`.
        simple
            Figures from `simple_models`.
        """

    @abstractmethod
    def stuck(self, trial: Trial, stretch: Stretch) -> Finding:
        """The finding for a trial that does not get on."""

    # ---- comparisons

    @abstractmethod
    def scores(self, rows: Rows) -> dict[str, float]:
        """What counts of the rows of a comparison, by name; without rows that are no baselines."""

    @abstractmethod
    def noisier(self, scores: dict[str, float], best: str) -> dict[str, float]:
        """The scores that show a model to be worse than the best baseline, if it is, at an error that can be heard."""
