"""The pictures and the page of a comparison of separated stems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.report import listening, page
from dl4j_bridge.report.canvas import BLUE, GREY, ORANGE, PINK, figure, legend, save
from dl4j_bridge.report.excerpt import SECONDS, Excerpt, Floats, loudest_frames
from dl4j_bridge.tasks.spectrogram import Magnitudes
from dl4j_bridge.terminal import tables

# Of the rows whose jumps are drawn.
_COLOURS = {"model": ORANGE, "stateless": PINK, "oracle-ratio": GREY}


def excerpt_of(sounds: dict[str, Floats], y: Magnitudes, hop: int, rate: int) -> Excerpt:
    """Cut out the loudest seconds of the stem.

    Parameters
    ----------
    sounds : dict of ndarray of float, shape (n,)
        With ``mixture``, ``stem`` and ``model``.
    y : ndarray of float32, shape (frames, bins)
        Magnitudes of the stem; the first frame ends behind sample `hop`.
    hop
        Samples from one frame to the next.
    rate
        In Hz.
    """
    frames = loudest_frames(y, slice(0, len(y)), round(SECONDS * rate / hop))
    where = slice(frames.start * hop, frames.stop * hop)
    names = {"input": "mixture", "target": "stem", "output": "model"}
    return Excerpt(rate, where.start, {signal: sounds[name][where] for signal, name in names.items()}, {})


def write(
    folder: Path,
    title: str,
    result: dict[str, Any],
    jumps: dict[str, npt.NDArray[np.float64]],
    heard: Excerpt,
    about: dict[str, Any],
) -> None:
    """Draw what was compared and write ``report.html``.

    Parameters
    ----------
    folder
        Made if it is not there.
    title
        Of the page.
    result
        Of `comparing.compare`.
    jumps
        Of `comparing_spectrogram.jumps_in_window`, by row.
    heard
        What the model made of a stretch of the judged part.
    about
        Of the model file.
    """
    folder.mkdir(exist_ok=True)
    chart, borders = folder / "comparison.png", folder / "borders.png"
    bars(chart, result["rows"])
    draw_borders(borders, jumps)
    of_rows = (
        "How far each stem is from the true one, against doing nothing. The oracles know the true stem: they are a "
        "bound for masks, not a way to separate anything."
    )
    of_borders = (
        "How far the spectrum moves from one frame to the next, by the frame's place in its window. The stateless row "
        "begins every window with an empty state, and so it jumps at every border; the model carries its state."
    )
    part = "the held-out test part" if result["part"] == "test" else "the recordings"
    said = page.paragraph(tables.judged(result["samples"], result["part"]))
    pictures = [page.picture(chart, "improvement of SI-SDR", of_rows), page.table([_row(r) for r in result["rows"]])]
    notes = "".join(page.paragraph(note) for note in result["notes"])
    shown = {"settings": about["settings"], "versions": about["versions"]}
    sections = [
        ("Against the masks", said + page.cards(pictures)),
        ("Borders of windows", page.picture(borders, "change of the spectrum by place in a window", of_borders)),
        *listening.sections(folder, heard, part),
        *([("Notes", notes)] if notes else []),
        ("Model", "".join(page.folded(name.capitalize(), page.facts(values)) for name, values in shown.items())),
    ]
    page.write(folder / "report.html", title, sections)


def bars(path: Path, rows: list[dict[str, Any]]) -> None:
    """Improvement of SI-SDR over the mixture, as horizontal bars."""
    drawn, axes = figure(1 + 0.35 * len(rows))
    heights = [np.nan if row["improvement_db"] is None else row["improvement_db"] for row in rows]
    colours = [_COLOURS.get(row["name"], BLUE) for row in rows]
    lengths = axes.barh([row["name"] for row in rows], heights, color=colours)
    axes.bar_label(lengths, labels=["" if np.isnan(h) else f"{h + 0.0:.1f}" for h in heights], padding=3)
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.set_xlabel("improvement of SI-SDR over the mixture (dB)")
    save(path, drawn)


def draw_borders(path: Path, jumps: dict[str, npt.NDArray[np.float64]]) -> None:
    """Change of the spectrum from frame to frame by place in a window, of the rows that have something to say on it."""
    drawn, axes = figure()
    for name, colour in _COLOURS.items():
        axes.plot(jumps[name], color=colour, label=name, marker="o", markersize=3)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("frame in its window (0: the border)")
    axes.set_ylabel("mean change from the frame before")
    legend(axes)
    save(path, drawn)


def _row(row: dict[str, Any]) -> dict[str, str]:
    return {tables.heading(k): v if isinstance(v, str) else tables.short(k, v) for k, v in row.items()}
