"""What a task brings to a comparison: the rows' contenders, and how an output becomes a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal import metrics
from dl4j_bridge.tasks.shown import Chart, Excerpt, Lines

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
        Yields the output for the evaluated part, block by block, in the form that the comparison's evaluators take.
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


class Evaluator:
    """Collects one contender's output, block by block.

    Parameters
    ----------
    evaluate
        Turns all blocks into metrics and sound.
    samples_in
        Number of samples in a block.
    """

    def __init__(self, evaluate: Callable[[list[Any]], Evaluated], samples_in: Callable[[Any], int] = np.size) -> None:
        self._evaluate, self._samples_in = evaluate, samples_in
        self._blocks: list[Any] = []

    def add(self, block: Any) -> int:
        """Take the next block; returns its number of samples."""
        self._blocks.append(block)
        return self._samples_in(block)

    def evaluated(self) -> Evaluated:
        """The whole output with its metrics."""
        return self._evaluate(self._blocks)


def of_sound(target: Samples, sound: Samples) -> Evaluated:
    """Evaluate float samples: ``esr``, ``snr_db`` and ``stft``."""
    esr = metrics.esr(target, sound)
    row = {"esr": esr, "snr_db": metrics.snr_db(esr), "stft": metrics.stft_distance(target, sound)}
    return Evaluated(row, sound)


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
    def evaluator(self) -> Evaluator:
        """A evaluator for one contender."""

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
    free_running : ndarray of float, shape (n,), or None
        Its own audio.
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

    def as_dict(self) -> dict[str, Any]:
        """The JSON fields of `compare`, but for the files that were written."""
        found = {"rows": self.rows, "part": self.part, "samples": self.samples, "notes": self.notes}
        return found | ({} if self.drift is None else {"drift": self.drift})


def whole(output: Samples) -> Callable[[], Iterator[Samples]]:
    """A contender's `run` for an output that is known."""
    return lambda: iter([output])
