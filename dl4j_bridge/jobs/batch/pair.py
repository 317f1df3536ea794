"""One run of a batch: train or resume, export, compare. After its process died, another one may begin it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import Timeout

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs.batch.plan import EXPORTS, Entry
from dl4j_bridge.jobs.compare import compare
from dl4j_bridge.jobs.export import export
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.resumed_run import resumed_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model.exports import FORMATS
from dl4j_bridge.model.run import Run
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.commands import CompareSettings, ExportSettings
from dl4j_bridge.tasks import columns

# Seconds to wait for a process of the same run that lost its node and has not noticed it yet.
ORPHAN_SECONDS = 120
# A run in one of these states is trained further.
UNFINISHED = ("running", "failed", "interrupted")
# Compared as in `compare`, but for the generated audio of a next-sample model, which takes long.
COMPARED = CompareSettings(drift_seconds=0)


@dataclass(frozen=True)
class Row:
    """How a run of a batch ended.

    Attributes
    ----------
    name
        Name of its run folder.
    state
        ``trained``, ``failed`` or ``interrupted``.
    error
        Why it failed.
    steps
        Steps of its training, in all sessions.
    resumed_at
        Steps that were there when its last session began.
    metric
        Name of the metric that `model` and `best_baseline` are values of, on the held-out part.
    model, best_baseline
        Value of the network, and of the best baseline.
    baseline
        Name of that baseline.
    exports
        Files that were written.
    """

    name: str
    state: str
    error: str | None = None
    steps: int = 0
    resumed_at: int = 0
    metric: str = ""
    model: float | None = None
    best_baseline: float | None = None
    baseline: str = ""
    exports: list[str] = field(default_factory=list)

    @property
    def is_better(self) -> bool:
        """Whether the network beats the best baseline."""
        if self.model is None or self.best_baseline is None:
            return False
        sign = -1 if columns.column(self.metric).better == columns.HIGHER else 1
        return sign * self.model < sign * self.best_baseline

    def cells(self) -> dict[str, str]:
        """Cells of a table by heading."""
        judged = {"metric": "", "model": "", "best baseline": ""}
        if self.metric:
            model, baseline = (columns.spell(self.metric, value) for value in (self.model, self.best_baseline))
            best = f"{baseline} ({self.baseline})" if self.baseline else ""
            judged = {"metric": columns.column(self.metric).heading, "model": model, "best baseline": best}
        exports = ", ".join(Path(file).parent.name for file in self.exports)
        return {"run": self.name, "ended": self.state, "steps": f"{self.steps:,}", **judged, "exports": exports}


# Called with a run that ended by itself, such as to write its page.
After = Callable[[Run], None]


def run_pair(entry: Entry, out: Path, formats: list[str], threads: int, after: After) -> Row:
    """Do all of a run; an error becomes a row.

    Parameters
    ----------
    entry
        The run.
    out
        Folder of the batch, which all machines share.
    formats
        Formats to export to.
    threads
        CPU threads of the training.
    after
        Called after a training that ended by itself.
    """
    folder = RunFolder(out / entry.name)
    resumed_at = 0
    try:
        _wait_for_orphan(folder)
        if not _is_trained(folder):
            run = _begun(folder, entry, threads)
            resumed_at = run.state.step
            if train(run)["stopped_because"] == "interrupted":
                return Row(entry.name, "interrupted", steps=run.state.step, resumed_at=resumed_at)
            after(run)
        steps = folder.read_run()["result"]["steps"]
        judged = _judged(folder.path, entry)
        files = [_exported(folder.path, out, entry.name, name) for name in formats]
        return Row(entry.name, "trained", steps=steps, resumed_at=resumed_at, exports=files, **judged)
    except BridgeError as e:
        return Row(entry.name, "failed", str(e), resumed_at=resumed_at)
    finally:
        jvm.release_memory()


def _begun(folder: RunFolder, entry: Entry, threads: int) -> Run:
    if folder.last.exists():
        return resumed_run(folder.path, {}, [], [])
    targets = [entry.target] if entry.target else []
    return new_run([entry.source], targets, folder.path, entry.settings(threads))


def _is_trained(folder: RunFolder) -> bool:
    return folder.run_json.exists() and folder.read_run().get("status") not in UNFINISHED


def _wait_for_orphan(folder: RunFolder) -> None:
    if folder.path.is_dir():
        try:
            folder.lock.acquire(timeout=ORPHAN_SECONDS)
        except Timeout:
            raise BridgeError(folder.path, "another process trains in it", "wait for that, then --resume") from None
        folder.lock.release()


def _judged(run: Path, entry: Entry) -> dict[str, Any]:
    """The network and the best baseline on the held-out part, by the first metric of the comparison's chart."""
    result = compare(run, entry.source, entry.target, COMPARED)
    metric = result.chart.columns[0]
    model, *others = ((row["name"], row[metric]) for row in result.rows)
    sign = -1 if columns.column(metric).better == columns.HIGHER else 1
    known = [(sign * value, value, name) for name, value in others if value is not None]
    _, value, name = min(known, default=(0, None, ""))
    return {"metric": metric, "model": model[1], "best_baseline": value, "baseline": name}


def _exported(run: Path, out: Path, name: str, format_name: str) -> str:
    folder = out / EXPORTS / format_name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}{FORMATS[format_name].suffix}"
    return str(export(run, format_name, file, ExportSettings(name=name, overwrite=True))["output"])
