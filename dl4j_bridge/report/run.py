"""The pictures and the page of a training run."""

from __future__ import annotations

import numpy as np

from dl4j_bridge import metrics
from dl4j_bridge.report import page, plots
from dl4j_bridge.runfolder import RunFolder
from dl4j_bridge.training import Run, part_of


def write(run: Run) -> None:
    """Draw ``loss.png`` and ``accuracy.png`` and write ``report.html`` into the run folder."""
    folder: RunFolder = run.folder
    log = folder.read_log()
    target = np.concatenate([y[part_of(y.size, "valid")] for _, y in run.signals])
    plots.loss(folder.path / "loss.png", log, metrics.entropy_bits(target))
    plots.accuracy(folder.path / "accuracy.png", log)
    stored = folder.read_run()
    sections = [
        ("Loss", page.picture(folder.path / "loss.png", "bits per sample over steps")),
        ("Accuracy", page.picture(folder.path / "accuracy.png", "exact classes over steps")),
        ("Result", page.facts(stored["result"])),
        ("Settings", page.facts(stored["settings"])),
        ("Versions", page.facts(stored["versions"])),
    ]
    page.write(folder.path / "report.html", f"Training run {folder.path.name}", sections)
