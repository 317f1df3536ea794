"""The pictures and the page of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dl4j_bridge.report import listening, page, plots
from dl4j_bridge.report.excerpt import Excerpt


def write(folder: Path, title: str, result: dict[str, Any], heard: Excerpt, about: dict[str, Any]) -> Path:
    """Draw what was compared and write ``report.html``.

    Parameters
    ----------
    folder
        Made if it is not there.
    title
        Of the page.
    result
        Of `comparing.compare`.
    heard
        What the model made of a stretch of the judged part.
    about
        Of the model file.

    Returns
    -------
    Path
        Of the page.
    """
    folder.mkdir(exist_ok=True)
    bars = folder / "comparison.png"
    plots.comparison(bars, result["rows"])
    part = "the held-out test part" if result["part"] == "test" else "the recordings"
    caption = (
        "The model against baselines that were fitted on the same training part. No bar: no distribution, or exact."
    )
    table = page.cards([page.picture(bars, "bits per sample and signal-to-noise ratios", caption)])
    sections = [
        ("Against the baselines", page.paragraph(f"{result['samples']:,} samples: {part}.") + table),
        ("", page.table(result["rows"])),
        *listening.sections(folder, heard, part),
    ]
    if "drift" in result:
        sections.append(("Free-running output over time", _drift(result["drift"])))
    if result["notes"]:
        sections.append(("Notes", "".join(page.paragraph(note) for note in result["notes"])))
    shown = {"settings": about["settings"], "versions": about["versions"]}
    sections.append(
        ("Model", "".join(page.folded(name.capitalize(), page.facts(values)) for name, values in shown.items()))
    )
    path = folder / "report.html"
    page.write(path, title, sections)
    return path


def _drift(drift: dict[str, Any]) -> str:
    rows = [{"from": "recording", **drift["recording"]}]
    rows += [{"from": f"{part['seconds']:.1f} s"} | part for part in drift["parts"]]
    return page.table([{k: v for k, v in row.items() if k != "seconds"} for row in rows])
