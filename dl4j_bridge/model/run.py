"""A training run while it is open."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java.network import Network
from dl4j_bridge.model.info import ModelInfo, RunState
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import augmentation
from dl4j_bridge.signal.pairs import Pair, Stretch
from dl4j_bridge.tasks.baselines.base import Arrays
from dl4j_bridge.tasks.interface import Metrics, Task

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.findings import Finding

# Its name in the zip to resume from, beside the carried state.
OUTER_MOMENTUM = "outer_momentum"
ON_CUDA = "--backend cuda: the fused layers run on the CPU; this run uses DL4J's stock layers and their gradient"


@dataclass(frozen=True)
class Progress:
    """The progress of a run after a step.

    Attributes
    ----------
    step, epochs, seconds
        Made so far, in all sessions of the run.
    values
        Training metrics of the task for the segment of this step, before its update.
    samples_per_second
        Speed of this session, without validations.
    fraction
        Share of the way to the nearest limit; None where only a plateau ends the run.
    seconds_left
        Estimated time to that limit.
    valid
        The validation metrics, if this step made a validation.
    pretraining
        Whether the step belongs to the pre-training.
    findings
        What the live checks found at this step.
    news
        What happened to workers, a line for each.
    """

    step: int
    epochs: float
    seconds: float
    values: dict[str, float]
    samples_per_second: float
    fraction: float | None
    seconds_left: float | None
    valid: Metrics | None
    pretraining: bool = False
    findings: list[Finding] = field(default_factory=list)
    news: list[str] = field(default_factory=list)


# Called after every step.
Report = Callable[[Progress], None]


@dataclass
class Run:
    """A training run: made by `new_run` or `resumed_run`, driven by `train`.

    Attributes
    ----------
    folder, settings, pairs, task, network, info, state
        What is trained, and how far it is.
    signals
        Input and target of each pair, whole.
    baselines
        Arrays of the fitted baselines. A resumed run has those that it fitted when it began, since another fit may
        round differently.
    augmented
        Copies of the training parts, and the rest of large folders, beside `signals`.
    outer_momentum
        Momentum of the updates that workers make together after several steps of each; None without these.
    start
        The model whose network this one began with, if not with random weights.
    advice, warnings
        What the user should know before a new run starts, and what looks like a mistake.
    best
        The best network; there once a run has ended by itself.
    """

    folder: RunFolder
    settings: TrainSettings
    pairs: list[Pair]
    task: Task
    network: Network
    signals: list[Stretch]
    info: ModelInfo
    state: RunState = field(default_factory=RunState)
    baselines: Arrays = field(default_factory=dict)
    augmented: list[Stretch] = field(default_factory=list)
    outer_momentum: npt.NDArray[np.float32] | None = None
    start: Path | None = None
    best: Model | None = None
    advice: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What the user should know of the layers and the recordings, each thing once."""
        of_layers = [ON_CUDA] if self.settings.run.backend == "cuda" else []
        of_pairs = [note for pair in self.pairs for note in pair.notes]
        of_copies = augmentation.notes(self.pairs, self.settings.small_data)
        return of_layers + self.advice + list(dict.fromkeys(of_pairs + self.task.notes(self.pairs) + of_copies))

    def check_finite(self, loss: float, step: int) -> None:
        """Refuse to train on once the loss is NaN or infinite.

        Raises
        ------
        BridgeError
            Names the step.
        """
        if not math.isfinite(loss):
            wanted = "train again with a lower --learning-rate, or with --clip 1"
            raise BridgeError(self.folder.path, f"the loss is {loss} at step {step}", wanted)
