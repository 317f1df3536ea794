"""The trials of a search in Optuna's storage: which are to run, which ended, and which lost their worker.

A search has a fixed number of slots, from 0. A slot is a trial until its worker dies; then another trial with the same
parameters takes its place. All that a worker does about it follows from the list of trials, so it may die at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dl4j_bridge.jobs.search.storage import open_storage
from dl4j_bridge.settings.search import SearchSettings

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

Direction = Literal["minimize", "maximize"]

# A slot whose process ended so often is given up: its settings may be the reason.
MOST_DEATHS = 3
# A trial that its worker did not begin after this number of seconds has none.
LATE = 60
# User attributes of a trial. The first two belong to the slot; the others hold the number of the trial that set them,
# since a trial that replaces another one inherits its attributes.
SLOT, FOLDER, BEGUN, INTERRUPTED, SUPERFLUOUS = "slot", "run", "begun", "interrupted", "superfluous"
ERROR = "error"


def open_study(name: str, folder: Path, settings: SearchSettings, directions: list[Direction]) -> Study:
    """Open a study, or make it.

    Parameters
    ----------
    name
        Name of the study in its storage.
    folder
        Search folder.
    settings
        Where the study is stored, and how it prunes.
    directions
        ``minimize`` or ``maximize`` of each objective.

    Raises
    ------
    InputError
        The database cannot be used.
    """
    import optuna

    pruners: dict[str, Callable[[], Any]] = {
        # The resource is the share of a trial's training in per cent.
        "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=10, max_resource=100, reduction_factor=3),
        "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=10, reduction_factor=3),
        "none": optuna.pruners.NopPruner,
    }
    return optuna.create_study(
        storage=open_storage(settings, folder),
        sampler=optuna.samplers.TPESampler(),
        pruner=pruners[settings.pruner](),
        study_name=name,
        directions=directions,
        load_if_exists=True,
    )


def add_slots(study: Study, count: int, first: dict[str, Any]) -> None:
    """Make the slots that are missing; the first one has the given parameters."""
    for slot in sorted(set(range(count)) - set(by_slot(study))):
        study.enqueue_trial(first if slot == 0 else {}, user_attrs={SLOT: slot})


def state(study: Study) -> Literal["waiting", "running", "done"]:
    """Put the trials of dead workers back.

    Returns
    -------
    str
        ``waiting``: a trial is to be run. ``running``: none, unless a worker of those that run dies. ``done``: none.
    """
    import optuna
    from optuna.trial import TrialState

    optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if _is_late(trial) and not _set_by(trial, BEGUN):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    again = optuna.storages.RetryHeartbeatStaleTrialCallback()
    for trials in by_slot(study).values():
        if all(t.state == TrialState.FAIL for t in trials) and not is_given_up(trials):
            again(study, next(t for t in reversed(trials) if not _set_by(t, SUPERFLUOUS)))
    states = {t.state for t in study.get_trials(deepcopy=False)}
    return "waiting" if TrialState.WAITING in states else "running" if TrialState.RUNNING in states else "done"


def begin(study: Study, trial: Trial) -> int | None:
    """The slot of a trial; None if another trial has it already or it is beyond the last one."""
    from optuna.trial import TrialState

    slot: int | None = trial.user_attrs.get(SLOT)
    before = [] if slot is None else [t for t in by_slot(study)[slot] if t.number < trial.number]
    if slot is None or any(t.state != TrialState.FAIL or ERROR in t.user_attrs for t in before):
        trial.set_user_attr(SUPERFLUOUS, trial.number)
        return None
    # Optuna's own heartbeat comes from a thread, which may be too late if this process dies at once.
    study._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
    trial.set_user_attr(BEGUN, trial.number)
    return slot


def is_given_up(trials: list[FrozenTrial]) -> bool:
    """Whether a slot of which no trial succeeded is not to be tried again."""
    deaths = [t for t in trials if not _set_by(t, SUPERFLUOUS) and not _set_by(t, INTERRUPTED)]
    return any(ERROR in t.user_attrs for t in trials) or len(deaths) > MOST_DEATHS


def counting(trials: list[FrozenTrial]) -> FrozenTrial:
    """Of the trials of a slot, the one that succeeded or runs; else the last one."""
    from optuna.trial import TrialState

    own = [t for t in trials if not _set_by(t, SUPERFLUOUS)]
    return next((t for t in own if t.state != TrialState.FAIL), own[-1])


def by_slot(study: Study) -> dict[int, list[FrozenTrial]]:
    """All trials of each slot, in the order of their numbers."""
    slots: dict[int, list[FrozenTrial]] = {}
    for trial in study.get_trials():
        if SLOT in trial.user_attrs:
            slots.setdefault(trial.user_attrs[SLOT], []).append(trial)
    return dict(sorted(slots.items()))


def _is_late(trial: FrozenTrial) -> bool:
    began = trial.datetime_start
    return began is not None and datetime.now(began.tzinfo) - began > timedelta(seconds=LATE)


def _set_by(trial: FrozenTrial, name: str) -> bool:
    return bool(trial.user_attrs.get(name) == trial.number)
