"""Train, search, batch or diagnose, and write the report: what the command line and Python do the same way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dl4j_bridge.atomic_files import check_folder
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs import mlflow_log, tensorboard_log
from dl4j_bridge.jobs.held_out import curves_and_excerpt
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model import run
from dl4j_bridge.model.run_folder import RUNS, RunFolder
from dl4j_bridge.terminal.console import print_notes
from dl4j_bridge.terminal.progress import checks_progress, if_wanted, samples_progress, training_progress, working

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.findings import Diagnosis
    from dl4j_bridge.jobs.batch.pair import Row
    from dl4j_bridge.jobs.batch.plan import Entry, Plan
    from dl4j_bridge.jobs.diagnose import Request
    from dl4j_bridge.jobs.search.definition import Search
    from dl4j_bridge.jobs.search.outcome import SearchResult
    from dl4j_bridge.report.live import Live
    from dl4j_bridge.settings.commands import CompareSettings
    from dl4j_bridge.tasks.comparison import ComparisonResult


@dataclass(frozen=True)
class Watching:
    """Where a training is shown and logged.

    Attributes
    ----------
    progress
        True shows it on stderr; None shows it on a terminal and in a notebook only.
    tensorboard
        Folder to log scalars for TensorBoard into.
    mlflow
        Folder or tracking URI of MLflow.
    live
        Whether to serve a page.
    report
        Whether to write ``report.html``.
    """

    progress: bool | None = None
    tensorboard: str | PathLike[str] | None = None
    mlflow: str | PathLike[str] | None = None
    live: bool = False
    report: bool = True

    def checked(self) -> Self:
        """Return this after checking, before any work is done, that all of it can be written.

        Raises
        ------
        InputError
            If a package is not installed, or a folder cannot be written to.
        """
        tensorboard_log.check(self.tensorboard)
        mlflow_log.check(self.mlflow)
        return self


def train_and_report(started: run.Run, watching: Watching) -> dict[str, Any]:
    """Train and write the report if wanted; returns what `train` does."""
    with (
        started.folder.released_on_error(),
        _live(started, watching.live) as live,
        if_wanted(watching.progress, lambda: training_progress(started)) as show,
        tensorboard_log.scalars(started, watching.tensorboard, show) as scalars,
        mlflow_log.logged(started, watching.mlflow, scalars) as report,
    ):
        result = train(started, live.added_to(report), live.stop) if live else train(started, report)
        if live:
            live.end(result)
        if watching.report:
            with _writing(watching.progress):
                _page_of_run(started)
    jvm.release_memory()
    return result


@contextmanager
def _live(started: run.Run, is_wanted: bool) -> Iterator[Live | None]:
    """Serve the page of a training if wanted, and print its address."""
    if not is_wanted:
        yield None
        return
    from dl4j_bridge.report import live, live_server

    shown = live.Live(started)
    with live_server.served(shown) as address:
        # Also with --quiet: nobody could guess it.
        print(f"live: {address}", file=sys.stderr, flush=True)
        yield shown


def diagnose_and_report(request: Request, out: Path | None, progress: bool | None) -> tuple[Diagnosis, Path | None]:
    """Run all checks; returns what they found and its page, None without recordings or if it cannot be written."""
    from dl4j_bridge.jobs.diagnose import diagnose
    from dl4j_bridge.report import diagnosis

    if out:
        RunFolder(out).check_free()
    elif request.source:
        try:
            check_folder(RUNS)
        except InputError as e:
            print_notes([f"no report will be written: {e}"])
    with if_wanted(progress, checks_progress) as report:
        found = diagnose(request, report)
    if request.source is None:
        return found, None
    try:
        with _writing(progress):
            return found, diagnosis.write(RunFolder.made(out, Path(f"diagnose-{request.source.stem}")).path, found)
    except (BridgeError, OSError) as e:
        # The findings took a minute; they are shown without a page.
        print_notes([f"no report: {e}"])
        return found, None


def compare_and_report(
    models: list[Path], source: Path, target: Path | None, settings: CompareSettings, out: Path | None
) -> tuple[ComparisonResult, Path]:
    """Compare models; returns what was found and its page, which is beside the first model unless `out` is given."""
    from dl4j_bridge.jobs.compare import report_folder
    from dl4j_bridge.jobs.compare_models import compare_models
    from dl4j_bridge.report import charts, comparison

    folder = out or report_folder(models[0])
    if out or folder.parent.is_dir():
        check_folder(folder)
    with samples_progress("compare") as report:
        result = compare_models(models, source, target, settings, report)
    with _writing(True):
        if settings.plot:
            charts.bars(settings.plot, result.rows, result.chart)
        return result, comparison.write(folder, f"Comparison on {source.name}", result)


def search_and_report(
    folder: Path, search: Search, trial_reports: bool, cluster: str | None = None, cores: int = 1
) -> tuple[SearchResult, Path]:
    """Run trials, with a page of each if wanted; returns what was found and the page over all.

    Without the address of a cluster this process runs one trial after the other.
    """
    from dl4j_bridge.jobs.search import on_cluster, worker
    from dl4j_bridge.report import search as search_page
    from dl4j_bridge.terminal.progress import print_trial

    if cluster:
        path = folder.absolute()
        result = on_cluster.run_trials(path, search, work_on_trials, trial_reports, cluster, cores, print_trial)
    else:
        result = worker.run_trials(folder, search, print_trial, _page_of_run if trial_reports else _no_page)
    return result, search_page.write(result)


def work_on_trials(folder: Path, search: Search, with_pages: bool) -> None:
    """What a worker of a search on a cluster does, in a process of its own."""
    from dl4j_bridge.jobs.search import storage, worker

    storage.require()
    worker.run_trials(folder, search, after=_page_of_run if with_pages else _no_page)


def batch_and_report(
    plan: Plan, out: Path, run_reports: bool, cluster: str, cores: int
) -> tuple[list[Row], bool, Path]:
    """Run a plan, with a page of each run if wanted; returns its rows, whether it was interrupted, and its page."""
    from dl4j_bridge.jobs.batch.runs import run_plan
    from dl4j_bridge.report import batch as batch_page
    from dl4j_bridge.terminal.progress import print_run

    rows, interrupted = run_plan(plan, out, work_on_pair, run_reports, cluster, cores, print_run)
    return rows, interrupted, batch_page.write(out, rows)


def work_on_pair(entry: Entry, out: Path, formats: list[str], threads: int, with_page: bool) -> Row:
    """What a worker of a batch does, in a process of its own."""
    from dl4j_bridge.jobs.batch.pair import run_pair

    return run_pair(entry, out, formats, threads, _page_of_run if with_page else _no_page)


def _writing(progress: bool | None) -> AbstractContextManager[None]:
    return nullcontext() if progress is False else working("writing the report")


def _page_of_run(ended: run.Run) -> None:
    from dl4j_bridge.report import run as run_report

    run_report.write(ended, *curves_and_excerpt(ended))


def _no_page(ended: run.Run) -> None:
    pass
