"""What a task brings to a comparison: the rows' contenders, and how an output becomes a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.pairs import Pair, Split, part
from dl4j_bridge.tasks import columns, grades
from dl4j_bridge.tasks.baselines.base import Baseline
from dl4j_bridge.tasks.pytorch_twin import PytorchTwin
from dl4j_bridge.tasks.shown import Chart, Excerpt, Lines

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Fitted, Task

Samples = npt.NDArray[np.floating]
Row = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A row to come: the network, a baseline, or what the target itself could be at best.

    Attributes
    ----------
    name
        Name of the row.
    parameters
        Number of fitted parameters; None for what is no model.
    run
        Yields the output for the evaluated part, block by block, in the form that `Comparison.evaluate` takes.
    """

    name: str
    parameters: int | None
    run: Callable[[], Iterable[Any]]


@dataclass(frozen=True)
class Evaluated:
    """A contender's output of the whole part.

    Attributes
    ----------
    metrics
        Columns of the row.
    sound : ndarray of float, shape (n,)
        Full scale is 1.
    classes : ndarray of uint8, shape (n,), or None
        The most probable classes, where the task has classes.
    """

    metrics: Row
    sound: Samples
    classes: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Drift:
    """A network's own audio over time.

    Attributes
    ----------
    facts
        As `drift.measure` returns them.
    sound : ndarray of float, shape (n,)
        The generated audio.
    """

    facts: dict[str, Any]
    sound: Samples


class Comparison(ABC):
    """The evaluated part of a pair, and all that is compared on it.

    Attributes
    ----------
    part
        ``test``: the held-out part; ``all``: whole recordings that the model was not trained with.
    samples
        Number of samples that are evaluated.
    chart
        Which columns a report plots.
    wav_subtype
        libsndfile's sample format for the wav of a row.
    has_speed
        Whether rows have the columns ``parameters`` and ``samples_per_second``.
    """

    part: str
    samples: int
    chart: Chart
    wav_subtype: str = "PCM_16"
    has_speed: bool = True

    @abstractmethod
    def contenders(self) -> list[Contender]:
        """The network, named ``model`` and first, and what it is compared with."""

    def twin(self, steps: int) -> Contender:
        """A PyTorch LSTM of the network's size, trained for up to `steps` updates on the same windows.

        Raises
        ------
        InputError
            PyTorch is not installed.
        """
        raise NotImplementedError

    @abstractmethod
    def evaluate(self, name: str, blocks: Iterable[Any]) -> Evaluated:
        """The whole output of the contender `name` with its metrics, from what its `run` yields."""

    def samples_in(self, block: Any) -> int:
        """Number of samples in a block that a contender yields."""
        return np.size(block)

    @abstractmethod
    def references(self) -> dict[str, Samples]:
        """Sounds of the evaluated part that are no row, such as ``target``."""

    @abstractmethod
    def excerpt(self, model: Evaluated) -> Excerpt:
        """The loudest seconds of the evaluated part, with the network's output."""

    def finish(self, rows: list[Row]) -> list[Row]:
        """The rows with columns that follow from several of them."""
        return rows

    def lines(self) -> list[Lines]:
        """Pictures that a report shows beside the chart."""
        return []

    def drift(self, seconds: float) -> Drift | None:
        """Let a network that predicts the next sample generate audio; None for other networks."""
        return None


class SignalComparison(Comparison):
    """A comparison on time steps start..end-1 of the signals of a pair; parameters as of `Task.comparison`.

    Attributes
    ----------
    x, y : ndarray, shape (n,) or (n, width)
        Input and target of the whole pair.
    start, end
        Time steps that are evaluated.
    """

    def __init__(self, task: Task, pair: Pair, split: Split | None, fitted: Fitted) -> None:
        self.task, self.rate, self.fitted = task, pair.rate, fitted
        self.x, self.y = task.signals(pair)
        start, end = split["test"] if split else (0, len(self.y) * task.hop)
        self.start, self.end = start // task.hop, end // task.hop
        self.part = "test" if split else "all"
        self.samples = end - start

    @abstractmethod
    def outputs(self) -> Iterator[npt.NDArray[np.float32]]:
        """The network's outputs for the evaluated time steps, block by block."""

    @abstractmethod
    def predictions(self, outputs: Iterable[npt.NDArray[np.float32]]) -> Iterable[Any]:
        """Blocks for `evaluate` from outputs of a network."""

    def baselines(self) -> list[Baseline]:
        """The fitted baselines."""
        return self.task.fitted_baselines(self.fitted.baselines)

    @abstractmethod
    def baseline_predictions(self, baseline: Baseline) -> Iterator[Any]:
        """Blocks for `evaluate` from a baseline."""

    def contenders(self) -> list[Contender]:
        model = Contender("model", self.fitted.network.parameter_count, lambda: self.predictions(self.outputs()))
        predicted = self.baseline_predictions
        return [model, *(Contender(b.name, b.parameters, partial(predicted, b)) for b in self.baselines())]

    def twin(self, steps: int) -> Contender:
        twin = PytorchTwin(self.task, self.fitted.settings, steps)
        whole = self.x, self.y
        twin.fit(part(whole, "train"), part(whole, "valid"))
        outputs = partial(twin.run, self.x, self.start, self.end)
        return Contender(twin.name, twin.parameters, lambda: self.predictions(outputs()))

    @property
    def target(self) -> Samples:
        return self.task.to_samples(self.y[self.start : self.end])

    def references(self) -> dict[str, Samples]:
        return {"input": self.task.to_samples(self.x[self.start : self.end]), "target": self.target}


@dataclass(frozen=True)
class ComparisonResult:
    """A comparison that was made.

    Attributes
    ----------
    rows
        One dict for each contender: ``name`` and the columns of the task.
    part
        ``test``: the held-out part of recordings that the model was trained with; ``all``: other recordings.
    samples
        Number of samples that were evaluated.
    notes
        What the user should know of the recordings.
    drift
        `Drift.facts` of a model that predicts the next sample, else None.
    graded
        Whether the ESR of a row is that of a sound that the model makes, which `grades.of` puts into words.
    models
        Number of rows that are models; they come first.
    free_running : ndarray of float, shape (n,), or None
        Its own audio.
    target_power
        Mean square of the target that was evaluated; None without one.
    best_esr
        The ESR that no model of the pair can beat, on this part: ``esr``, its ``evidence``, and the same in words as
        ``facts``; None where nothing bounds it.
    excerpt, chart, lines
        What a report shows.
    rate
        Sample rate in Hz.
    model
        Settings and versions of the model, by heading.
    """

    rows: list[Row]
    part: str
    samples: int
    notes: list[str]
    excerpt: Excerpt
    chart: Chart
    rate: int
    model: dict[str, Any]
    lines: list[Lines] = field(default_factory=list)
    drift: dict[str, Any] | None = None
    free_running: Samples | None = None
    graded: bool = False
    target_power: float | None = None
    best_esr: dict[str, Any] | None = None
    models: int = 1

    @property
    def verdict(self) -> str | None:
        """The ESR of each model in words, and that of the best baseline that has parameters; None if not graded."""
        if not self.graded or self.rows[0].get("esr") is None:
            return None
        found = "; ".join(f"{row['name']}: {_graded(row)}" for row in self.rows[: self.models])
        best = min((row for row in self.rows[self.models :] if row.get("parameters")), key=error_of, default=None)
        if best is None or best.get("esr") is None:
            return found
        return f"{found}; best baseline: {best['name']}, {_graded(best)}"

    @property
    def beside_best(self) -> str:
        """The model's ESR beside the best possible one, with its evidence; empty where that is not known."""
        if self.best_esr is None:
            return ""
        found, facts = self.rows[0]["esr"], "; ".join(self.best_esr["facts"])
        return f"model: ESR {found:.2g} of at best {self.best_esr['esr']:.2g} ({facts})"

    def as_dict(self) -> dict[str, Any]:
        """The JSON fields of `compare`, but for the files that were written."""
        found = {"rows": self.rows, "part": self.part, "samples": self.samples, "notes": self.notes}
        known = {"drift": self.drift, "best_esr": self.best_esr}
        return found | {name: value for name, value in known.items() if value is not None}


def _graded(row: Row) -> str:
    return columns.listed(row, ["esr"], grades.of(row["esr"]))


def error_of(row: Row) -> float:
    """The ESR of a row, to sort by; infinite where there is none."""
    error = row.get("esr")
    return float("inf") if error is None else float(error)
