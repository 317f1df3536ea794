"""Run many recordings through a model on Ray, in tasks that are started again where their process died."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dl4j_bridge.jobs.process import Report
from dl4j_bridge.jobs.ray_cluster import RETRIES, connected
from dl4j_bridge.settings.commands import ProcessSettings

# Recordings of a task, at most: what is lost with its process.
MOST = 50
# Tasks for each worker, so that all end at about the same time.
TASKS = 4


def process_on_cluster(
    model: Path,
    outputs: dict[Path, Path],
    settings: ProcessSettings,
    channel: int | None,
    report: Report,
    cluster: str,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run recordings through a model on the cores of a cluster.

    Parameters
    ----------
    model, settings, channel
        As for `process`. All machines have the paths in common.
    outputs
        The file to write for each recording; checked.
    report
        Called with the number of recordings done and in all.
    cluster
        Address of a Ray cluster, as `connected` takes it.

    Returns
    -------
    list of dict, list of dict
        What `process_files` calls ``outputs`` and ``failed``, in the order of `outputs`.

    Raises
    ------
    BridgeError
        The cluster cannot be reached.
    """
    import ray

    # A task that is started again meets the files that it has written.
    settings = replace(settings, overwrite=True)
    found: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with connected(cluster, 1) as workers:
        size = min(max(len(outputs) // (TASKS * workers), 1), MOST)
        files = list(outputs.items())
        parts = [dict(files[at : at + size]) for at in range(0, len(files), size)]
        task: Any = ray.remote(num_cpus=1, max_retries=RETRIES)(process_part)
        pending = {task.remote(model, part, settings, channel): part for part in parts}
        done = 0
        while pending:
            ready, _ = ray.wait(list(pending))
            part = pending.pop(ready[0])
            try:
                of_part = ray.get(ready[0])
            except ray.exceptions.RayError as e:
                words = f"its worker died ({type(e).__name__}); see the log of Ray"
                of_part = [], [{"input": str(source), "error": f"{source}: {words}"} for source in part]
            found += of_part[0]
            failed += of_part[1]
            done += len(part)
            report(done, len(outputs))
    order = {str(source): number for number, source in enumerate(outputs)}
    return sorted(found, key=lambda r: order[r["input"]]), sorted(failed, key=lambda r: order[r["input"]])


def process_part(
    model: Path, outputs: dict[Path, Path], settings: ProcessSettings, channel: int | None
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """What a task does, in a process of its own."""
    from dl4j_bridge.jobs.process_files import process_here
    from dl4j_bridge.model import model_zip

    return process_here(model_zip.open_model(model), model, outputs, settings, channel)
