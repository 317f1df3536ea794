"""Runs the trials of a search, one after the other; several processes may do so at the same time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import Timeout

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.process import process_samples
from dl4j_bridge.jobs.resumed_run import resumed_run
from dl4j_bridge.jobs.search import outcome, slots
from dl4j_bridge.jobs.search.definition import SPEED, Search
from dl4j_bridge.jobs.search.outcome import Outcome, SearchResult
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.model.run import Progress, Run
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.object_store import as_path
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.tasks import search_space

if TYPE_CHECKING:
    from optuna import Study, Trial

# Seconds between looks at what the other workers do, once nothing is left for this one.
WAIT = 1.0
# Seconds of noise that the speed is measured with, and how often: Java compiles in the first of them.
SPEED_SECONDS, SPEED_TIMES = 1.0, 3

# Called with a trial that this worker finished, and the best one so far.
Report = Callable[[Outcome, Outcome | None], None]


def run_trials(
    folder: Path,
    search: Search,
    report: Report = lambda done, best: None,
    after: Callable[[Run], None] = lambda run: None,
) -> SearchResult:
    """Run trials until all are done, the minutes are over, or Ctrl-C; several processes may do so at the same time.

    Parameters
    ----------
    folder
        The search folder.
    search
        From `definition.begin` or `definition.resume`.
    report
        Called after each trial.
    after
        Called with the run of each trial that ended, such as to write its page.

    Raises
    ------
    InputError
        The storage cannot be used.
    """
    study = slots.open_study(search.study, folder, search.settings, search.directions)
    space, defaults = search.space, search.train_settings.as_options()
    first = {name: defaults[name] for name, parameter in space.items() if defaults[name] in parameter}
    slots.add_slots(study, search.settings.trials, first)
    worker, interrupted = _Worker(folder, search, space, after), False
    try:
        while (state := slots.state(study)) != "done" and not worker.is_over:
            if state == "running":
                time.sleep(WAIT)
                continue
            trial = worker.run_one(study)
            if trial is not None:
                result = outcome.result(folder, search, study, with_importances=False)
                report(next(t for t in result.trials if t.slot == trial), result.best)
    except KeyboardInterrupt:
        interrupted = not worker.is_over
    return replace(outcome.result(folder, search, study, with_importances=True), interrupted=interrupted)


class _Worker:
    """Runs trials one after the other."""

    def __init__(self, folder: Path, search: Search, space: search_space.Space, after: Callable[[Run], None]) -> None:
        self.folder, self.search, self.space, self.after = folder, search, space, after
        self._end = time.monotonic() + (search.settings.minutes or float("inf")) * 60

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def run_one(self, study: Study) -> int | None:
        """Run the trial that waits; returns its slot, None if another worker was faster."""
        from optuna.trial import TrialState

        slot, taken = None, False

        def objective(trial: Trial) -> tuple[float, ...]:
            nonlocal slot, taken
            slot = slots.begin(study, trial)
            if slot is None:
                raise _Superfluous
            try:
                return self._values(trial, slot)
            finally:
                taken = study.get_trials(deepcopy=False)[trial.number].state != TrialState.RUNNING

        try:
            study.optimize(objective, n_trials=1, catch=(_Superfluous, BridgeError))
        except Exception:
            # The others took this worker for dead and run the trial again: Optuna refuses its result.
            if not taken:
                raise
            return None
        return slot

    def _values(self, trial: Trial, slot: int) -> tuple[float, ...]:
        """Train with the sampled settings."""
        from optuna import TrialPruned

        try:
            run = self._run(trial, slot)
            result = train(run, until=self._judged(trial))
            if result["stopped_because"] == "interrupted":
                trial.set_user_attr(slots.INTERRUPTED, trial.number)
                raise KeyboardInterrupt
            trial.set_user_attr("steps", result["steps"])
            values = tuple(self._value(name, run, result) for name in self.search.objectives)
            self.after(run)
        except BridgeError as e:
            trial.set_user_attr(slots.ERROR, str(e))
            raise
        finally:
            jvm.release_memory()
        if result["stopped_because"] == "pruned":
            raise TrialPruned
        return values

    def _run(self, trial: Trial, slot: int) -> Run:
        """The run of a slot: resumed where a dead worker left it."""
        folder = self.folder / f"trial-{slot}"
        if _is_locked(folder):
            # A worker that was taken for dead is alive after all.
            folder = self.folder / f"trial-{slot}-{trial.number}"
        trial.set_user_attr(slots.FOLDER, folder.name)
        settings = self.search.with_parameters({name: p.sample(trial, name) for name, p in self.space.items()})
        if (folder / "last.zip").exists():
            threads = {name: value for name, value in self.search.options.items() if name == "threads"}
            return resumed_run(folder, threads, [], [])
        inputs, targets = ([as_path(path) for path in paths] for paths in (self.search.inputs, self.search.targets))
        return new_run(inputs, targets, folder, settings)

    def _judged(self, trial: Trial) -> Callable[[Progress], str | None]:
        """Report validations by the share of the training that is done; returns when to stop."""
        reported = 0

        def until(progress: Progress) -> str | None:
            nonlocal reported
            if self.is_over:
                return "interrupted"
            share = int(100 * (progress.fraction or 0))
            value = (progress.valid or {}).get(self.search.objectives[0])
            if value is None or share <= reported or len(self.search.objectives) > 1:
                return None
            reported = share
            trial.report(value, share)
            return "pruned" if trial.should_prune() else None

        return until

    def _value(self, name: str, run: Run, result: dict[str, Any]) -> float:
        assert run.best is not None, "a run that was not interrupted has a best network"
        value = speed(run.best) if name == SPEED else result["valid"][name]
        if value is None or not math.isfinite(value):
            raise BridgeError(run.folder.path, f"no {name} on a silent validation part", "wanted another --objective")
        return float(value)


class _Superfluous(Exception):
    """Another trial has this one's slot."""


def speed(model: Model) -> float:
    """Audio seconds that a model processes in a second, or in a CPU second where other programs take turns."""
    rate = model.info.rate
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, round(SPEED_SECONDS * rate))
    seconds = []
    for _ in range(SPEED_TIMES):
        began = time.perf_counter(), time.process_time()
        process_samples(model, noise, rate, ProcessSettings())
        seconds += [time.perf_counter() - began[0], time.process_time() - began[1]]
    return SPEED_SECONDS / min(seconds)


def _is_locked(folder: Path) -> bool:
    lock = RunFolder(folder).lock
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
