"""The runs of a plan as tasks of Ray."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dl4j_bridge.jobs.batch.pair import Row
from dl4j_bridge.jobs.batch.plan import Entry, Plan
from dl4j_bridge.jobs.ray_cluster import RETRIES, SAVE_SECONDS, connected

# What a worker does: entry, folder of the batch, formats, threads, and whether to write a page of the run.
Work = Callable[[Entry, Path, list[str], int, bool], Row]


def run_plan(
    plan: Plan,
    out: Path,
    work: Work,
    pages: bool,
    cluster: str,
    cores: int,
    report: Callable[[Row], None],
) -> tuple[list[Row], bool]:
    """Run all entries of a plan.

    Parameters
    ----------
    plan
        The plan.
    out
        Folder of the batch, absolute, which all machines share.
    work
        What a worker does; a function of a module that each machine has.
    pages
        Whether to write a page of each run.
    cluster
        Address of a Ray cluster, as `connected` takes it.
    cores
        Cores of a run. A machine runs as many at the same time as it has cores for.
    report
        Called with each row as soon as it is there.

    Returns
    -------
    list of Row, bool
        In the order of the plan, and whether the batch was interrupted.

    Raises
    ------
    BridgeError
        The cluster cannot be reached, or has no machine with so many cores.
    """
    import ray

    with connected(cluster, cores):
        task: Any = ray.remote(num_cpus=cores, max_retries=RETRIES)(work)
        pending = {task.remote(entry, out, plan.export, cores, pages): entry for entry in plan.entries}
        rows: dict[str, Row] = {}
        interrupted = False
        try:
            _collect(pending, rows, report, None)
        except KeyboardInterrupt:
            interrupted = True
            for reference in pending:
                # Raises Ctrl-C in the task, which saves.
                ray.cancel(reference, force=False)
            _collect(pending, rows, report, SAVE_SECONDS)
    missing = {entry.name: Row(entry.name, "interrupted") for entry in plan.entries if entry.name not in rows}
    return [(rows | missing)[entry.name] for entry in plan.entries], interrupted


def _collect(
    pending: dict[Any, Entry], rows: dict[str, Row], report: Callable[[Row], None], timeout: float | None
) -> None:
    """Wait for runs, and remove them from those that are pending."""
    import ray

    while pending:
        done, _ = ray.wait(list(pending), timeout=timeout)
        if not done:
            return
        entry = pending.pop(done[0])
        try:
            row = ray.get(done[0])
        except ray.exceptions.TaskCancelledError:
            row = Row(entry.name, "interrupted")
        except ray.exceptions.RayError as e:
            row = Row(entry.name, "failed", f"{entry.name}: its worker died ({type(e).__name__}); see the log of Ray")
        rows[entry.name] = row
        report(row)
