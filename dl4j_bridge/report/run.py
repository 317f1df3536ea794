"""The page of a training run, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dl4j_bridge.model.run import Run
from dl4j_bridge.report import charts, findings, listening, page
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.excerpts import SECONDS
from dl4j_bridge.tasks.shown import Curve, Excerpt

# Parts of a result that have a section of their own.
_SHOWN_APART = ("valid", "findings")


def write(run: Run, learning: list[Curve], excerpt: Excerpt) -> Path:
    """Plot the learning curves and an excerpt, and write ``report.html`` into the run folder.

    Parameters
    ----------
    run
        A run that has ended or was interrupted.
    learning
        Learning curves to plot, each into a file of its name.
    excerpt
        What the model makes of the held-out part.

    Returns
    -------
    Path
        The page.
    """
    folder: Path = run.folder.path
    stored = run.folder.read_run()
    result = stored["result"]
    log = charts.columns_of(run.folder.read_log())
    plots = [(charts.learning_curve(folder / f"{curve.name}.png", curve, log), curve) for curve in learning]
    pictures = [page.picture(path, curve.title, curve.caption) for path, curve in plots]
    found = result.get("findings", [])
    several = f" of the first of {len(stored['pairs'])} pairs" if len(stored["pairs"]) > 1 else ""
    sections = [
        ("", _about(run.info.about) + _results(result)),
        *([("Found while training", findings.described(found))] if found else []),
        ("Learning", page.cards(pictures)),
        *listening.sections(folder, excerpt, columns.part("test") + several, _remark(stored["pairs"][0], excerpt)),
        ("Run", page.facts({name: value for name, value in result.items() if name not in _SHOWN_APART})),
        ("Recordings", page.table([_recordings(pair) for pair in stored["pairs"]])),
        ("", page.details({name: stored[name] for name in ("settings", "versions")})),
    ]
    return page.write(folder, f"Training run {folder.name}", sections)


def _results(result: dict[str, Any]) -> str:
    """Show the last validation; an interrupted run has none."""
    valid = result["valid"]
    if not valid:
        text = f"Interrupted at step {result['steps']}; the plots and players below show the model at this step."
        return page.paragraph(text)
    grade = result.get("grade")
    shown = columns.by_importance(valid) if grade else valid
    tiles = [
        page.Number(
            columns.with_unit(valid, name),
            columns.column(name).label or columns.column(name).name,
            " (validation)",
            grade if grade and name == "esr" else "",
        )
        for name in shown
    ]
    stopped = f"; stopped by {result['stopped_because']}"
    return page.numbers([*tiles, page.Number(f"{result['steps']:,}", "steps", stopped)])


def _about(about: dict[str, str | float]) -> str:
    """Show what was said about the model."""
    said = {columns.column(name).name: text for name, text in about.items()}
    return page.facts(said) if said else ""


def _remark(pair: dict[str, Any], excerpt: Excerpt) -> str:
    """Refer to the longer excerpt of a comparison, where a large network made this one short."""
    begin, end = pair["split"]["test"]
    if excerpt.size >= min(end - begin, round(SECONDS * excerpt.rate)):
        return ""
    return f"The report of dl4j-bridge compare has up to {SECONDS:.0f} s."


def _recordings(pair: dict[str, Any]) -> dict[str, Any]:
    """Name the files without their folders, since a page may be passed on."""
    return {
        "input": Path(pair["input"]["path"]).name,
        "target": pair["target"] and Path(pair["target"]["path"]).name,
        "delay (samples)": pair["delay"],
        "length (samples)": pair["length"],
    }
