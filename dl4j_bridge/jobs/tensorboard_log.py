"""Scalars of a run for TensorBoard, written by the optional package tensorboardX."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from dl4j_bridge import atomic_files
from dl4j_bridge.errors import InputError
from dl4j_bridge.model.run import Progress, Report, Run


def check(folder: str | PathLike[str] | None) -> None:
    """Check, before any work is done, that scalars can be logged into `folder`, if there is one.

    Raises
    ------
    InputError
        If tensorboardX is not installed, or the folder cannot be written to.
    """
    if folder is not None:
        _writer_class()
        atomic_files.check_folder(Path(folder))


@contextmanager
def scalars(run: Run, folder: str | PathLike[str] | None, report: Report) -> Iterator[Report]:
    """Extend `report` by logging each step into `folder`.

    Parameters
    ----------
    run
        Run whose steps are logged.
    folder
        Folder for the log; None yields `report` unchanged.
    report
        Function to call with the progress of each step.
    """
    if folder is None:
        yield report
        return
    # Later steps were logged by a run that was killed before it saved them.
    with _writer_class()(str(folder), purge_step=run.state.step + 1) as writer:

        def log(progress: Progress) -> None:
            for name, value in scalars_of(run, progress).items():
                writer.add_scalar(name, value, progress.step)
            report(progress)

        yield log


def scalars_of(run: Run, progress: Progress) -> dict[str, float]:
    """Values of a step by the names that they have in a log."""
    if progress.pretraining:
        # Steps of pretraining are numbered separately, so they have no place on the axis.
        return {}
    values = {
        **{f"{name}/train": value for name, value in progress.values.items()},
        **{f"{name}/valid": progress.valid[name] for name in run.task.validation_metrics if progress.valid},
        "learning_rate": run.state.learning_rate,
        "samples_per_second": progress.samples_per_second,
    }
    return {name: value for name, value in values.items() if value is not None}


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        wanted = "run: pip install 'dl4j_bridge[tensorboard]'"
        raise InputError("--tensorboard", "needs tensorboardX, which is not installed", wanted) from None
    return SummaryWriter
