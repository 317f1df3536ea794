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
    caption = "The model against baselines that were fitted on the same training part."
    if "bits" in result["rows"][0]:
        shows = "bits per sample and signal-to-noise ratios"
        caption += " No bar: no distribution, or exact."
    else:
        shows = "signal-to-noise ratios"
        caption += " 8-bit: the target itself in 8 bits, which no network of 8-bit samples can better."
    picture = page.picture(bars, shows, caption)
    table = page.table([_row(row) for row in result["rows"]])
    sections = [
        (
            "Against the baselines",
            page.paragraph(f"{result['samples']:,} samples: {part}.") + page.cards([picture, table]),
        ),
        *listening.sections(folder, heard, part),
    ]
    if "drift" in result:
        sections.append(("Free-running output over time", over_time(folder, result["drift"])))
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
    of_classes = {"bits": row["bits"], "exact": f"{row['accuracy']:.2%}"} if "bits" in row else {}
    return {
        "name": row["name"],
        **of_classes,
        "ESR": row["esr"],
        "SNR (dB)": "exact" if row["esr"] == 0 else row["snr_db"] and f"{row['snr_db']:.1f}",
        "STFT": row["stft"],
        "parameters": _whole(row["parameters"]),
        "samples/s": _whole(row["samples_per_second"]),
    }


def _whole(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"


def over_time(folder: Path, drift: dict[str, Any]) -> str:
    """Table and picture of what `drift.measure` followed."""
    rows = [{"from": "recording", **drift["recording"]}]
    rows += [{"from": f"{part['seconds']:.1f} s"} | part for part in drift["parts"]]
    table = page.table([{k: v for k, v in row.items() if k != "seconds"} for row in rows])
    if len(drift.get("track", ())) < 2:
        return table
    path = folder / "drift.png"
    plots.drift(path, drift)
    caption = (
        f"Each second of the network's own audio; the band is what the recording's seconds reach. "
        f"{drift['outside']['any']:.0%} of the seconds are beyond it in one of the three."
    )
    return table + page.cards([page.picture(path, "level, entropy and spectrum over time", caption)])
