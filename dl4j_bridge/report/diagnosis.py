"""The pictures and the page of a diagnosis."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.jobs import training
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.report import excerpt, listening, page, plots
from dl4j_bridge.settings.config import CLASS_TASKS
from dl4j_bridge.tasks.samples import SamplesTask


def write(
    folder: Path,
    case: Case,
    findings: list[Finding],
    figures: dict[str, dict[str, Any]],
    checks: list[dict[str, Any]],
    model: Model | None = None,
) -> Path:
    """Draw what was measured and write ``report.html``.

    Parameters
    ----------
    folder
        It exists.
    case
        What was looked at.
    findings, figures, checks
        What was found.
    model
        Heard on the held-out part, if there is one.

    Returns
    -------
    Path
        Of the page.
    """
    sections = [("Verdict", _verdict(findings)), ("Checks", page.table([_ticked(check) for check in checks]))]
    curves = _curves(folder, figures)
    if curves:
        sections.append(("Learning", page.cards(curves)))
    if case.settings.network.task in CLASS_TASKS:
        sections.append(("Classes", page.cards([_classes(folder, case)])))
    of_what = "" if case.is_whole else " of the stretches that were looked at"
    sections += listening.sections(folder, _excerpt(case, model), f"the held-out test part{of_what}")
    sections.append(("Measured", "".join(page.folded(name, measured) for name, measured in _measured(figures))))
    sections.append(("", page.folded("Settings", page.facts(case.settings.as_dict()))))
    sections.append(("", page.folded("Versions", page.facts(training.versions_without_java()))))
    path = folder / "report.html"
    page.write(path, f"Diagnosis of {case.input.name}" + (f" and {case.target.name}" if case.target else ""), sections)
    return path


def _classes(folder: Path, case: Case) -> str:
    x, y = case.indices
    counts: dict[str, npt.NDArray[np.integer]] = {"input": np.bincount(x, minlength=256)}
    if case.target:
        counts["target"] = np.bincount(y, minlength=256)
    plots.histogram(folder / "histogram.png", counts)
    return page.picture(
        folder / "histogram.png", "how often each of the 256 classes comes", "In all that was looked at."
    )


def _curves(folder: Path, figures: dict[str, dict[str, Any]]) -> list[str]:
    pictures = []
    for name in ("identity", "pair", "next sample", "next frame"):
        if "curve" in figures.get(name, {}):
            path = folder / f"{name.replace(' ', '-')}.png"
            plots.trial(path, figures[name]["curve"], figures[name].get("floors", {}))
            pictures.append(page.picture(path, f"loss of the {name} over steps", f"A short trial: {name}."))
    return pictures


def _measured(figures: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A table for each check that measured something."""
    for name, values in figures.items():
        shown = {key: value for key, value in values.items() if key not in ("curve", "histogram", "trials")}
        trials = page.table(values.get("trials", []))
        if shown or trials:
            yield name, page.facts(_without_lists(shown)) + trials


def _excerpt(case: Case, model: Model | None) -> excerpt.Excerpt:
    """The pair alone where there is no model."""
    x, y = case.indices
    part = training.part_of(y.size, "test")
    if model is None:
        return excerpt.of_pair(case.task, x, y, part, case.rate)
    return excerpt.of_network(model.network, SamplesTask.from_dict(model.about), x, y, part, case.rate, model.about)


def _verdict(findings: list[Finding]) -> str:
    if not findings:
        return "<p>Nothing found that would keep a network from learning this.</p>"
    items = "".join(
        f"<h3>{html.escape(f.code)} ({f.severity})</h3><p><strong>Mend:</strong> {html.escape(f.fix)}</p>"
        + page.facts(_without_lists(f.evidence))
        for f in findings
    )
    return items


def _ticked(check: dict[str, Any]) -> dict[str, Any]:
    return {"": "✓" if check["passed"] else "✗", "check": check["name"], "seconds": check["seconds"]}


def _without_lists(values: dict[str, Any]) -> dict[str, Any]:
    """Only what fits into a cell."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            kept[name] = _without_lists(value)
        elif not isinstance(value, list) or len(value) <= 8:
            kept[name] = value
    return kept
