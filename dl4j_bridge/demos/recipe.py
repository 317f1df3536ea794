"""The steps that all demos share."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report
from dl4j_bridge.jobs import compare
from dl4j_bridge.jobs.held_out import curves_and_excerpt
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.report import comparison
from dl4j_bridge.report import run as run_report
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult

INTERRUPTED = "interrupted"


def trained(
    folder: Path, inputs: list[Path], targets: list[Path], settings: TrainSettings, report: Report
) -> dict[str, Any]:
    """Train into `folder` and write its report; returns what `train` does."""
    run = new_run(inputs, targets, folder, settings)
    result = train(run, report)
    run_report.write(run, *curves_and_excerpt(run))
    return result


def compared(
    model: Path, source: Path, target: Path | None, settings: CompareSettings = compare.PLAIN
) -> ComparisonResult:
    """Compare a model with its baselines and write the report beside it."""
    result = compare.compare(model, source, target, settings)
    comparison.write(compare.report_folder(model), f"Comparison on {source.name}", result)
    return result


def shown(result: ComparisonResult, output: Path, page: Path) -> dict[str, Any]:
    """What a demo adds to the result of its training, see `demos.run`."""
    return {
        "rows": result.rows,
        "title": columns.evaluated(result.samples, result.part),
        "output": str(output),
        "report": str(page),
    }
