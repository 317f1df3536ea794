"""The page of a comparison, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dl4j_bridge.report import bars, drift, lines, listening, page
from dl4j_bridge.tasks import columns

if TYPE_CHECKING:
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
    chart, path = result.chart, folder / "comparison.png"
    bars.plot(path, result.rows, chart)
    pictures = [page.picture(path, chart.title, chart.caption), page.table(columns.spelled(result.rows))]
    evaluated = page.paragraph(f"{columns.evaluated(result.samples, result.part)}.")
    sections = [(chart.heading, evaluated + page.cards(pictures))]
    for series in result.lines:
        lines.plot(folder / f"{series.name}.png", series)
        sections.append((series.heading, page.picture(folder / f"{series.name}.png", series.title, series.caption)))
    sections += listening.sections(folder, result.excerpt, columns.part(result.part))
    if result.drift:
        sections.append(("Free-running output over time", drift.section(folder, result.drift) + _player(result)))
    if result.notes:
        sections.append(("Notes", "".join(page.paragraph(note) for note in result.notes)))
    sections.append(("Model", page.details(result.model)))
    page.write(folder / "report.html", title, sections)
    return folder / "report.html"


def _player(result: ComparisonResult) -> str:
    if result.free_running is None:
        return ""
    return page.player(listening.wav(result.free_running, result.rate), "Free-running output")
