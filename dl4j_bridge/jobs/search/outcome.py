"""What a search has found so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dl4j_bridge.jobs.search import slots
from dl4j_bridge.jobs.search.definition import Search

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

# How trials end, by Optuna's name.
ENDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


@dataclass(frozen=True)
class Outcome:
    """What became of a slot.

    Attributes
    ----------
    slot
        Number of the trial, from 0.
    run
        Its run folder; None before it began.
    state
        ``complete, pruned, failed, running`` or ``waiting``.
    values
        Its objectives, if it is complete.
    parameters
        Its sampled settings.
    error
        Why it failed.
    seconds
        Duration.
    """

    slot: int
    run: str | None
    state: str
    values: dict[str, float]
    parameters: dict[str, Any]
    error: str | None
    seconds: float | None


@dataclass(frozen=True)
class SearchResult:
    """The present state of a search.

    Attributes
    ----------
    folder
        The search folder.
    search
        What was asked for.
    trials
        In the order of their numbers.
    best
        The trial with the best first objective; None if none is complete.
    front
        Trials that no other one beats in all objectives.
    importances
        How much each parameter decides whether a trial is among the best, 1 in all; empty with few trials.
    interrupted
        Whether the search ended by Ctrl-C.
    """

    folder: Path
    search: Search
    trials: list[Outcome]
    best: Outcome | None
    front: list[Outcome]
    importances: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials by how they ended."""
        return dict(Counter(trial.state for trial in self.trials))

    @property
    def ended(self) -> list[Outcome]:
        """Trials that will not be run again."""
        return [trial for trial in self.trials if trial.state in ("complete", "pruned", "failed")]

    @property
    def is_left(self) -> bool:
        """Whether trials are left, because of Ctrl-C, or since the minutes are over."""
        return len(self.ended) < len(self.trials)

    @property
    def best_run(self) -> Path | None:
        """Run folder of the best trial."""
        return self.folder / self.best.run if self.best and self.best.run else None

    def as_dict(self) -> dict[str, Any]:
        """The JSON fields of `search`."""
        return {
            "search": str(self.folder),
            "objectives": list(self.search.objectives),
            "trials": msgspec.to_builtins(self.trials),
            "best": msgspec.to_builtins(self.best),
            "best_run": self.best_run and str(self.best_run),
            "front": [trial.slot for trial in self.front],
            "importances": self.importances,
            "interrupted": self.interrupted,
        }


def result(folder: Path, search: Search, study: Study, with_importances: bool) -> SearchResult:
    """The present state of a search."""
    found = [_outcome(slot, trials, search.objectives) for slot, trials in slots.by_slot(study).items()]
    first = search.objectives[0]
    sign = -1 if search.directions[0] == "maximize" else 1
    ranked = sorted((t for t in found if t.state == "complete"), key=lambda t: sign * t.values[first])
    on_front = {t.user_attrs[slots.SLOT] for t in study.best_trials} if ranked else set()
    front = [t for t in ranked if t.slot in on_front]
    best = ranked[0] if ranked else None
    return SearchResult(
        folder, search, found, best, front, _importances(study, len(ranked)) if with_importances else {}
    )


def _outcome(slot: int, trials: list[FrozenTrial], objectives: tuple[str, ...]) -> Outcome:
    trial = slots.counting(trials)
    state, error = ENDS[trial.state.name], trial.user_attrs.get(slots.ERROR)
    if state == "failed" and not slots.is_given_up(trials):
        state = "waiting"
    elif state == "failed":
        error = error or f"its process ended {len(trials)} times, for example without memory"
    return Outcome(
        slot,
        trial.user_attrs.get(slots.FOLDER),
        state,
        dict(zip(objectives, trial.values, strict=True)) if state == "complete" else {},
        dict(trial.params),
        error,
        trial.duration.total_seconds() if trial.duration else None,
    )


def _importances(study: Study, complete: int) -> dict[str, float]:
    import optuna

    # Of fewer trials than two in each of the evaluator's groups nothing can be said.
    if complete < 4:
        return {}
    try:
        return optuna.importance.get_param_importances(study)
    except (ValueError, RuntimeError):
        # All trials have the same value.
        return {}
