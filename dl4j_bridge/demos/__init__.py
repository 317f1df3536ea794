"""What `demo` does for each task: a module that makes recordings, trains, and shows what came out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dl4j_bridge.settings.training import TASKS

if TYPE_CHECKING:
    from dl4j_bridge.jobs import training

# Told what happens next, and called after every training step.
Say = Callable[[str], None]
Report = Callable[["training.Progress"], None]

_MODULES = {task: task.replace("-", "_") for task in TASKS}
# Of --task frames without a target.
_MODULES["next-frame"] = "next_frame"
NAMES = tuple(_MODULES)
# What to type with one's own recordings.
YOURS = {
    "samples": "--input YOUR_DRY.wav --target YOUR_WET.wav",
    "language-model": "--task language-model --input YOUR_FOLDER",
    "frames": "--task frames --input YOUR_DRY.wav --target YOUR_WET.wav",
    "next-frame": "--task frames --input-noise 0.1 --input YOUR.wav",
    "spectrogram": "--task spectrogram --mask --input YOUR_MIXTURE.wav --target YOUR_STEM.wav",
}


def run(task: str, folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Show a task end to end.

    Parameters
    ----------
    task
        One of `NAMES`; ``dl4j_bridge.demos`` has a module for each.
    folder
        A folder that exists; all files go below it.
    limits
        ``minutes`` or ``steps`` of the training.
    say, report
        Told what happens next; called after every training step.

    Returns
    -------
    dict
        Training's result, and unless it was interrupted ``rows`` of a comparison (each with a ``name``), ``title`` of
        these, ``output`` (a wav) and ``report`` (a page).
    """
    recipe = import_module(f"dl4j_bridge.demos.{_MODULES[task]}")
    return dict(recipe.run(folder, limits, say, report))
