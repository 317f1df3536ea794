"""Train or diagnose, and write the report: what the command line and Python do the same way."""

from __future__ import annotations

from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dl4j_bridge.atomic_files import check_folder
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs import tensorboard_log
from dl4j_bridge.jobs.held_out import curves_and_excerpt
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model import run
from dl4j_bridge.model.run_folder import RUNS, RunFolder
from dl4j_bridge.terminal.console import print_notes
from dl4j_bridge.terminal.progress import checks_progress, if_wanted, training_progress, working

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.findings import Diagnosis
    from dl4j_bridge.jobs.diagnose import Request


def train_and_report(
    started: run.Run, progress: bool | None, tensorboard: str | PathLike[str] | None, with_report: bool = True
) -> dict[str, Any]:
    """Train and write the report if wanted; returns what `train` does."""
    with (
        if_wanted(progress, lambda: training_progress(started)) as show,
        tensorboard_log.scalars(started, tensorboard, show) as report,
    ):
        result = train(started, report)
    if with_report:
        from dl4j_bridge.report import run as run_report

        with nullcontext() if progress is False else working("writing the report"):
            run_report.write(started, *curves_and_excerpt(started))
    jvm.release_memory()
    return result


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
        return found, diagnosis.write(RunFolder.made(out, Path(f"diagnose-{request.source.stem}")).path, found)
    except (BridgeError, OSError) as e:
        # The findings took a minute; they are shown without a page.
        print_notes([f"no report: {e}"])
        return found, None
