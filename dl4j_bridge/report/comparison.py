"""The page of a comparison, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dl4j_bridge.report import charts, encoding, listening, page
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult


def write(folder: Path, title: str, result: ComparisonResult) -> Path:
    """Plot a comparison and write ``report.html``.

    Parameters
    ----------
    folder
        Folder to write, which is made if it does not exist.
    title
        Title of the page.
    result
        Result of the comparison.

    Returns
    -------
    Path
        The page.
    """
    folder.mkdir(exist_ok=True)
    chart = result.chart
    bars = page.picture(charts.bars(folder / "comparison.png", result.rows, chart), chart.title, chart.caption)
    evaluated = page.paragraph(f"{columns.evaluated(result.samples, result.part)}.")
    if result.verdict:
        evaluated += page.paragraph(f"{result.verdict}.")
    if result.best_esr:
        evaluated += page.paragraph(f"{result.beside_best}.")
    sections = [(chart.heading, evaluated + page.cards([bars, page.table(columns.spelled(result.rows))]))]
    for series in result.lines:
        path = charts.lines(folder / f"{series.name}.png", series)
        sections.append((series.heading, page.picture(path, series.title, series.caption)))
    sections += listening.sections(folder, result.excerpt, columns.part(result.part))
    if result.drift and result.free_running is not None:
        (uri,) = encoding.data_uris([result.free_running], result.rate, encoding.BUDGET // 4)
        player = page.player(uri, "Free-running output")
        sections.append(("Free-running output over time", _drift(folder, result.drift) + player))
    if result.notes:
        sections.append(("Notes", "".join(page.paragraph(note) for note in result.notes)))
    sections.append(("Model", page.details(result.model)))
    return page.write(folder, title, sections)


def _drift(folder: Path, drift: dict[str, Any]) -> str:
    """Show how the level, the entropy and the spectrum of free-running output develop.

    Each second was measured if there is a ``track``, and the time until drift if there is ``until``.
    """
    text = page.paragraph(f"Free-running output {columns.departure(drift)}.") if "until" in drift else ""
    text += page.table(columns.drift_rows(drift))
    if len(drift.get("track", ())) < 2:
        return text
    path = charts.drift(folder / "drift.png", drift)
    caption = (
        "Each second of free-running output; the band is the range of the seconds of the recording. "
        f"{drift['outside']['any']:.0%} of the seconds are outside the band in at least one plot."
    )
    return text + page.cards([page.picture(path, "level, entropy and spectrum over time", caption)])
