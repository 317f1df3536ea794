"""The workers of a search as tasks of Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dl4j_bridge.jobs.ray_cluster import RETRIES, SAVE_SECONDS, connected
from dl4j_bridge.jobs.search import outcome, slots
from dl4j_bridge.jobs.search.definition import Search
from dl4j_bridge.jobs.search.outcome import SearchResult
from dl4j_bridge.jobs.search.worker import Report

# Seconds between looks at the trials.
WATCH = 2.0
# What a task does: search folder, search, and whether to write a page of each trial.
Work = Callable[[Path, Search, bool], None]


def run_trials(
    folder: Path, search: Search, work: Work, pages: bool, cluster: str, cores: int, report: Report
) -> SearchResult:
    """Do what `worker.run_trials` does, with as many workers as the machines have cores for.

    Parameters
    ----------
    folder
        The search folder, absolute, which all machines share.
    search
        From `definition.begin` or `definition.resume`.
    work
        A function of a module that each machine has, which runs trials until all are done.
    pages
        Whether to write a page of each trial.
    cluster
        Address of a Ray cluster, as `connected` takes it.
    cores
        Cores of a worker.
    report
        Called after each trial.
    """
    import ray

    search = replace(search, options={"threads": cores, **search.options})
    study = slots.open_study(search.study, folder, search.settings, search.directions)
    interrupted = False
    with connected(cluster, cores) as most:
        task: Any = ray.remote(num_cpus=cores, max_retries=RETRIES)(work)
        workers = [task.remote(folder, search, pages) for _ in range(min(most, search.settings.trials))]
        known = {trial.slot for trial in outcome.result(folder, search, study, with_importances=False).ended}
        pending = list(workers)
        try:
            while pending:
                _, pending = ray.wait(pending, num_returns=len(pending), timeout=WATCH)
                found = outcome.result(folder, search, study, with_importances=False)
                for trial in found.ended:
                    if trial.slot not in known:
                        known.add(trial.slot)
                        report(trial, found.best)
            ray.get(workers)
        except KeyboardInterrupt:
            interrupted = True
            for worker in workers:
                # Raises Ctrl-C in the worker, which saves.
                ray.cancel(worker, force=False)
            ray.wait(workers, num_returns=len(workers), timeout=SAVE_SECONDS)
    return replace(outcome.result(folder, search, study, with_importances=True), interrupted=interrupted)
