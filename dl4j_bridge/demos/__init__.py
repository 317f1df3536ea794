"""What `demo` does for each task: a module that makes recordings, trains, and shows what came out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.model.run import Progress
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.training import NetworkSettings

# Called with what happens next, and after every training step.
Say = Callable[[str], None]
Report = Callable[[Progress], None]

MINUTES = 2.0
# An empty file in the folder of a demo, by task, until the demo has ended.
UNFINISHED = ".unfinished-demo-{}"
# Options of `train` for one's own recordings, by demo.
YOURS = {
    "samples": "--input YOUR_DRY.wav --target YOUR_WET.wav",
    "sag": "--slow-units 0.3 --length 8000 --input YOUR_DRY.wav --target YOUR_WET.wav",
    "language-model": "--task language-model --input YOUR_FOLDER",
    "frames": "--task frames --input YOUR_DRY.wav --target YOUR_WET.wav",
    "next-frame": "--task frames --predict next --input-noise 0.1 --input YOUR.wav",
    "spectrogram": "--task spectrogram --mask --input YOUR_MIXTURE.wav --target YOUR_STEM.wav",
}


def run(task: str, out: Path | None, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Show a task end to end.

    Parameters
    ----------
    task
        A key of `YOURS`; ``dl4j_bridge.demos`` has a module for each.
    out
        Folder to make, or that of an interrupted demo of this task, which continues; if None, a fresh one below
        ``runs``.
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
    marker = UNFINISHED.format(task)
    if out and (out / marker).exists():
        folder = RunFolder(out)
        folder.acquire()
    else:
        if out:
            RunFolder(out).check_free()
        folder = RunFolder.made(out, Path("demo" if task == NetworkSettings.task else f"demo-{task}"))
        write_bytes(folder.path / marker, b"")
    recipe = import_module(f"dl4j_bridge.demos.{task.replace('-', '_')}")
    result = dict(recipe.run(folder.path, limits, say, report))
    if "report" in result:
        (folder.path / marker).unlink()
    return result
