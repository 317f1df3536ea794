"""Table and plot of free-running output over time."""

from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.report import page, style
from dl4j_bridge.tasks import columns


def section(folder: Path, drift: dict[str, Any]) -> str:
    """Show how the level, the entropy and the spectrum of free-running output develop.

    Parameters
    ----------
    folder
        An existing folder, for ``drift.png``.
    drift
        A drift measurement: ``recording`` and ``parts``; ``track``, ``range`` and ``outside``, if each second was
        measured; ``until`` and ``seconds``, if the time until drift was measured.

    Returns
    -------
    str
        HTML.
    """
    text = page.paragraph(f"Free-running output {columns.departure(drift)}.") if "until" in drift else ""
    table = page.table(columns.drift_rows(drift))
    if len(drift.get("track", ())) < 2:
        return text + table
    path = folder / "drift.png"
    plot(path, drift)
    caption = (
        "Each second of free-running output; the band is the range of the seconds of the recording. "
        f"{drift['outside']['any']:.0%} of the seconds are outside the band in at least one plot."
    )
    return text + table + page.cards([page.picture(path, "level, entropy and spectrum over time", caption)])


def plot(path: Path, drift: dict[str, Any]) -> None:
    """Plot each second of free-running output, with the range of the recording as a band.

    Parameters
    ----------
    path
        PNG file to write.
    drift
        A drift measurement with ``track`` and ``range``.
    """
    names = list(drift["range"])
    figure, panels = style.panels(len(names), 1, 0.5 + 1.7 * len(names), sharex=True)
    for axes, name in zip(panels, names, strict=True):
        values = [np.nan if second[name] is None else second[name] for second in drift["track"]]
        axes.axhspan(*drift["range"][name], color=style.GREEN, alpha=0.2, label="range of the recording")
        axes.plot(np.arange(len(values)), values, color=style.SIGNALS["generated"], label="generated")
        axes.set_ylabel(columns.column(name).heading.replace(" (", "\n("))
    panels[-1].set_xlabel("time (s)")
    style.legend_above(figure, panels[0], 2)
    style.save(path, figure)
