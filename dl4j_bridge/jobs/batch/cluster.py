"""Runs of a batch as tasks of Ray, which starts a task again where a worker or a machine died."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.jobs.batch.pair import Row
from dl4j_bridge.jobs.batch.plan import Entry, Plan

# How often a run is started again after its worker died: a run that needs too much memory would never end.
RETRIES = 5
# Seconds that runs have to save after Ctrl-C.
SAVE_SECONDS = 120.0

# What a worker does: entry, folder of the batch, formats, threads, and whether to write a page of the run.
Work = Callable[[Entry, Path, list[str], int, bool], Row]


def require() -> None:
    """Check that Ray is installed.

    Raises
    ------
    InputError
        It is not.
    """
    # Ray would send statistics of its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: F401
    except ImportError:
        raise InputError("batch", "needs ray, which is not installed", "run: pip install 'dl4j_bridge[ray]'") from None


def run_plan(
    plan: Plan,
    out: Path,
    work: Work,
    pages: bool,
    cluster: str | None,
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
        Address of a Ray cluster; None starts one on this machine.
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

    _connect(cluster)
    try:
        most = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
        if cores > most:
            raise InputError("--cores-per-run", f"{cores}, more than any machine's {most:.0f}", "wanted at most that")
        # Ray starts its workers as new processes, so each has a Java of its own, for all runs that it gets. Ray sets
        # OMP_NUM_THREADS to the cores of the task there, which NumPy's products keep to.
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
        missing = (Row(entry.name, "interrupted") for entry in plan.entries if entry.name not in rows)
        rows |= {row.name: row for row in missing}
        return [rows[entry.name] for entry in plan.entries], interrupted
    finally:
        ray.shutdown()


def _connect(cluster: str | None) -> None:
    import ray

    try:
        ray.init(
            address=cluster or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            include_dashboard=None if cluster else False,
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as e:
        reason = " ".join(str(e).split())[:200]
        wanted = "wanted the address of a cluster that runs, such as 10.0.0.1:6379"
        raise BridgeError(f"--cluster {cluster}", f"not reached ({reason})", wanted) from e


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
