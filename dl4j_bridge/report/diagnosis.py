"""The page of a diagnosis, and its plots."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dl4j_bridge.report import curves, listening, page, sound_plots
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Curve

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.findings import Diagnosis, Finding

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
    sections = [
        ("Verdict", _verdict(diagnosis.findings)),
        ("Checks", page.table([_check_row(check) for check in diagnosis.checks])),
    ]
    trials = [_trial(folder, name, measured) for name, measured in diagnosis.figures.items() if "curve" in measured]
    if trials:
        sections.append(("Learning", page.cards(trials)))
    if diagnosis.class_counts:
        path = folder / "histogram.png"
        sound_plots.histogram(path, diagnosis.class_counts)
        picture = page.picture(path, "how often each of the 256 classes occurs", "In everything that was examined.")
        sections.append(("Classes", page.cards([picture])))
    if diagnosis.excerpt is not None:
        sections += listening.sections(folder, diagnosis.excerpt, diagnosis.part)
    sections.append(("Measurements", _measurements(diagnosis.figures)))
    sections.append(("", page.details({"settings": diagnosis.settings, "versions": diagnosis.versions})))
    page.write(folder / "report.html", diagnosis.title, sections)
    return folder / "report.html"


def _verdict(findings: list[Finding]) -> str:
    if not findings:
        return page.paragraph("Nothing was found that would keep a network from learning this.")
    return "".join(
        f"<h3>{html.escape(finding.code)} ({finding.severity})</h3>"
        f"<p><strong>Fix:</strong> {html.escape(finding.fix)}</p>" + page.facts(_short(finding.evidence))
        for finding in findings
    )


def _check_row(check: dict[str, Any]) -> dict[str, Any]:
    return {"": "✓" if check["passed"] else "✗", "check": check["name"], "seconds": check["seconds"]}


def _trial(folder: Path, name: str, measured: dict[str, Any]) -> str:
    """Plot the learning curve of a short trial, with the losses at which training may get stuck."""
    log = {key: np.asarray(values, np.float64) for key, values in measured["curve"].items()}
    loss = next(key for key in log if key != "step")
    levels = {
        f"{level.replace('_', ' ')} ({columns.named(loss, value)})": value
        for level, value in measured.get("floors", {}).items()
    }
    path = folder / f"{name.replace(' ', '-')}.png"
    title = f"loss of the {name} over steps"
    curves.plot(path, Curve(path.stem, loss, "", columns.column(loss).title, "", title, levels=levels), log)
    return page.picture(path, title, f"A short trial: {name}.")


def _measurements(figures: dict[str, dict[str, Any]]) -> str:
    """Return a table for each check that measured something."""
    tables = []
    for name, values in figures.items():
        shown = _short({key: value for key, value in values.items() if key not in _SHOWN_APART})
        trials = page.table(values.get("trials", []))
        if shown or trials:
            tables.append(page.folded(name, page.facts(shown) + trials))
    return "".join(tables)


def _short(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out lists that are too long for a cell."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            kept[name] = _short(value)
        elif not isinstance(value, list) or len(value) <= _LONGEST_LIST:
            kept[name] = value
    return kept
