"""The page of a diagnosis, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics.findings import Diagnosis
from dl4j_bridge.report import charts, findings, listening, page, pair_plots, sound_plots
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Curve

# Measurements that are plotted or have a table of their own.
_SHOWN_APART = ("curve", "histogram", "trials")
# A longer list does not fit into a cell.
_LONGEST_LIST = 8


def write(folder: Path, diagnosis: Diagnosis) -> Path:
    """Plot what was measured and write ``report.html``.

    Parameters
    ----------
    folder
        An existing folder.
    diagnosis
        Result of the diagnosis, with an excerpt.

    Returns
    -------
    Path
        The page.
    """
    shown = pair_plots.pictures(folder, diagnosis.plots) if diagnosis.plots else []
    checks = [{"": "✓" if c["passed"] else "✗", "check": c["name"], "seconds": c["seconds"]} for c in diagnosis.checks]
    nothing = page.paragraph("Nothing was found that would keep a network from learning this.")
    verdict = findings.described(finding.as_dict() for finding in diagnosis.findings) or nothing
    verdict += "".join(page.paragraph(f"{bound}.") for bound in diagnosis.bounds)
    sections = [("Verdict", verdict)]
    if shown:
        sections.append(("The pair", page.cards(shown)))
    sections.append(("Checks", page.table(checks)))
    trials = [_trial(folder, name, measured) for name, measured in diagnosis.figures.items() if "curve" in measured]
    if trials:
        sections.append(("Learning", page.cards(trials)))
    if diagnosis.class_counts:
        path = sound_plots.histogram(folder / "histogram.png", diagnosis.class_counts)
        picture = page.picture(path, "how often each of the 256 classes occurs", "In everything that was examined.")
        sections.append(("Classes", page.cards([picture])))
    if diagnosis.excerpt is not None:
        sections += listening.sections(folder, diagnosis.excerpt, diagnosis.part)
    sections.append(("Measurements", _measurements(diagnosis.figures)))
    sections.append(("", page.details({"settings": diagnosis.settings, "versions": diagnosis.versions})))
    return page.write(folder, diagnosis.title, sections)


def _trial(folder: Path, name: str, measured: dict[str, Any]) -> str:
    """Plot the learning curve of a short trial, with the losses at which training may get stuck."""
    log = {key: np.asarray(values, np.float64) for key, values in measured["curve"].items()}
    loss = next(key for key in log if key != "step")
    levels = {
        f"{level.replace('_', ' ')} ({columns.named(loss, value)})": value
        for level, value in measured.get("floors", {}).items()
    }
    stem, title = name.replace(" ", "-"), f"loss of the {name} over steps"
    curve = Curve(stem, loss, "", columns.column(loss).title, "", title, levels=levels)
    return page.picture(charts.learning_curve(folder / f"{stem}.png", curve, log), title, f"A short trial: {name}.")


def _measurements(figures: dict[str, dict[str, Any]]) -> str:
    """Return a table for each check that measured something."""
    tables = ""
    for name, values in figures.items():
        shown = _short({key: value for key, value in values.items() if key not in _SHOWN_APART})
        trials = page.table(values.get("trials", []))
        if shown or trials:
            tables += page.folded(name, page.facts(shown) + trials)
    return tables


def _short(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out lists that are too long for a cell."""
    return {
        name: _short(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if not isinstance(value, list) or len(value) <= _LONGEST_LIST
    }
