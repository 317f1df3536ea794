"""How the success of a network is measured: the skeleton that classes and vectors share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Finding, Kind
from dl4j_bridge.diagnostics.trial import Trial
from dl4j_bridge.java.network import WARM_UP, Network
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks.interface import Signal, Task

STUCK_AT_MARGINAL = Kind("stuck-at-marginal")
SLOW_LEARNING = Kind("slow-learning", WARNING)

# An error to signal above which an error can be heard (-20 dB).
POOR = 0.01

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
    trial_names
        Name of the trial on what was asked for, by what the task predicts.
    simplest
        Key of `simplest_errors` in a report; empty to leave them out.
    memory_figures
        Names of the figures of `output.memory`: state carried, state dropped, and the number of time steps.
    """

    unit: ClassVar[str]
    look_every: ClassVar[int]
    identity_settles: ClassVar[bool]
    trial_names: ClassVar[dict[str, str]]
    simplest: ClassVar[str]
    memory_figures: ClassVar[tuple[str, str, str]]

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def signals(self, case: Case) -> Stretch:
        """Input and target of a pair as the task has them, with the delay cut out."""

    # ---- errors of a network

    @abstractmethod
    def error(self, outputs: npt.NDArray[np.float32], target: Signal) -> float:
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

    def bits_worse(self, error: float, than: float) -> float:
        """How much worse an error is than another, in bits per value."""
        return self.task.bits_gained(error, than)

    # ---- trials

    @abstractmethod
    def figures(self, trial: Trial, stretch: Stretch) -> dict[str, Any]:
        """What a report shows of a trial; an error that is not finite is None, since JSON has no NaN."""

    @abstractmethod
    def curve(self, trial: Trial) -> dict[str, list[float]]:
        """Up to 200 points of the loss over steps, without those that are not finite."""

    @abstractmethod
    def learned(self, stretch: Stretch) -> Callable[[Trial], bool]:
        """A function that is True for trials that have learned the identity of a stretch."""

    @abstractmethod
    def floors(self, stretch: Stretch) -> dict[str, Any]:
        """Figures of the levels at which the loss of a stretch stands still, if there are such."""

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

    # ---- comparisons and memory

    @abstractmethod
    def scores(self, rows: Rows) -> dict[str, float]:
        """What counts of the rows of a comparison, by name; without rows that are no baselines."""

    @abstractmethod
    def best(self, scores: dict[str, float]) -> str:
        """The name of the best of some scores."""

    @abstractmethod
    def is_noisier(self, model: float, baseline: float) -> bool:
        """Whether a model's score is worse than a baseline's, at an error that can be heard."""

    @abstractmethod
    def evidence(self, figures: dict[str, float], best: str) -> dict[str, float]:
        """The scores of a model and of the baseline that is better."""

    @abstractmethod
    def chunks(self, length: int, chunk: int) -> tuple[int, int]:
        """Time steps in a chunk of a recording, and the index of the first chunk that counts."""
