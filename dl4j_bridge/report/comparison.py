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
    picture = page.picture(bars, "bits per sample and signal-to-noise ratios", caption)
    table = page.table([_row(row) for row in result["rows"]])
    sections = [
        (
            "Against the baselines",
            page.paragraph(f"{result['samples']:,} samples: {part}.") + page.cards([picture, table]),
        ),
        *listening.sections(folder, heard, part),
    ]
    if "drift" in result:
        sections.append(("Free-running output over time", over_time(result["drift"])))
    if result["notes"]:
        sections.append(("Notes", "".join(page.paragraph(note) for note in result["notes"])))
    shown = {"settings": about["settings"], "versions": about["versions"]}
    sections.append(
        ("Model", "".join(page.folded(name.capitalize(), page.facts(values)) for name, values in shown.items()))
    )
    path = folder / "report.html"
    page.write(path, title, sections)
    return path


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "bits": row["bits"],
        "exact": f"{row['accuracy']:.2%}",
        "ESR": row["esr"],
        "SNR (dB)": "exact" if row["esr"] == 0 else row["snr_db"] and f"{row['snr_db']:.1f}",
        "STFT": row["stft"],
        "parameters": f"{row['parameters']:,}",
        "samples/s": f"{row['samples_per_second']:,.0f}",
    }


def over_time(drift: dict[str, Any]) -> str:
    """Give the table of what `drift.measure` followed."""
    rows = [{"from": "recording", **drift["recording"]}]
    rows += [{"from": f"{part['seconds']:.1f} s"} | part for part in drift["parts"]]
    return page.table([{k: v for k, v in row.items() if k != "seconds"} for row in rows])
