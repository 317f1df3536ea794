"""The steps that all demos share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say
from dl4j_bridge.jobs import compare
from dl4j_bridge.jobs.held_out import curves_and_excerpt
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.process import process
from dl4j_bridge.jobs.resumed_run import resumed_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.report import comparison
from dl4j_bridge.report import run as run_report
from dl4j_bridge.settings.commands import CompareSettings, ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult

INTERRUPTED = "interrupted"


def trained(
    folder: Path, inputs: list[Path], targets: list[Path], settings: TrainSettings, report: Report
) -> dict[str, Any]:
    """Train into `folder`, or resume the training there, and write its report; returns what `train` does."""
    if RunFolder(folder).last.exists():
        run = resumed_run(folder, {"steps": settings.run.steps, "minutes": settings.run.minutes}, inputs, targets)
    else:
        run = new_run(inputs, targets, folder, settings)
    result = train(run, report)
    run_report.write(run, *curves_and_excerpt(run))
    return result


def compared(model: Path, source: Path, target: Path | None, settings: CompareSettings) -> ComparisonResult:
    """Compare a model with its baselines and write the report beside it."""
    result = compare.compare(model, source, target, settings)
    comparison.write(compare.report_folder(model), f"Comparison on {source.name}", result)
    return result


def effect(
    source: Path,
    target: Path,
    output: Path,
    settings: TrainSettings,
    rivals: str,
    write_page: Callable[[Path, ComparisonResult], Path],
    say: Say,
    report: Report,
    comparing: CompareSettings = compare.PLAIN,
) -> dict[str, Any]:
    """Learn to turn a recording into another, compare with `rivals`, process the recording, and write the page."""
    folder = output.parent
    result = trained(folder / "run", [source], [target], settings, report)
    if result["stopped_because"] == INTERRUPTED:
        return result
    say(f"comparing with {rivals} on the held-out part")
    found = compared(folder / "run", source, target, comparing)
    say(f"processing {source} into {output}")
    process(folder / "run", source, output, ProcessSettings(overwrite=True))
    return result | shown(found, output, write_page(folder, found))


def shown(result: ComparisonResult, output: Path, page: Path) -> dict[str, Any]:
    """What a demo adds to the result of its training, see `demos.run`."""
    title = columns.evaluated(result.samples, result.part)
    return {"rows": result.rows, "title": title, "output": str(output), "report": str(page)}
