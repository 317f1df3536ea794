"""Charts of a training and a comparison: learning curves, bars, lines, and free-running output over time."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.report import style
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Chart, Curve, Lines

Log = Mapping[str, npt.NDArray[np.float64]]
"""Columns of ``log.csv`` by name; NaN at steps without a value."""

# Lines of the levels, which differ without colours too.
_LEVELS = ((style.GREY, ":"), (style.GREEN, "--"), (style.PINK, "-."), (style.YELLOW, "-."))
# More entries than this would cover the curves.
_LEGEND_INSIDE = 4
# Letters of a line below one of two charts side by side.
_LABEL_LETTERS = 26
# Room above the highest level, and above the middle of a curve: a spike at the start is cut off.
_ABOVE = 1.25


_DIRECTIONS = {columns.LOWER: "\n(shorter is better)", columns.HIGHER: "\n(longer is better)", "": ""}
_COLOURS = (style.ORANGE, style.PINK, style.GREY, style.BLUE, style.GREEN, style.YELLOW)
# Beyond this number of points the markers would hide the lines.
_MOST_MARKED = 200


def bars(path: Path, rows: Sequence[Mapping[str, Any]], chart: Chart) -> Path:
    """Plot the rows of a comparison as horizontal bars, one panel for each column of the chart.

    Parameters
    ----------
    path
        PNG file to write.
    rows
        Rows of the comparison, each with a ``name``; the first one is highlighted. A value of None has no bar,
        unless the row is exact.
    chart
        Columns to plot.
    """
    figure, panels = style.panels(1, len(chart.columns), 1 + 0.35 * len(rows), sharey=True)
    names = [row["name"] for row in rows]
    colours = [style.ORANGE] + [style.BLUE] * (len(rows) - 1)
    for axes, name in zip(panels, chart.columns, strict=True):
        labels = [columns.cell(row, name) for row in rows]
        drawn = axes.barh(names, _lengths([row[name] for row in rows], labels), color=colours)
        axes.bar_label(drawn, labels=labels, padding=3)
        # Room for the labels.
        axes.margins(x=0.3)
        column = columns.column(name)
        axes.set_xlabel(textwrap.fill(column.title, _LABEL_LETTERS) + _DIRECTIONS[column.better])
    panels[0].invert_yaxis()
    return style.save(path, figure)


def _lengths(values: list[float | None], labels: list[str]) -> list[float]:
    """Lengths of the bars; that of an exact row, whose ratio is infinite, is the largest of the others."""
    longest = max((value for value in values if value is not None), default=1.0)
    missing = {columns.EXACT: longest}
    return [missing.get(label, np.nan) if value is None else value for value, label in zip(values, labels, strict=True)]


def lines(path: Path, shown: Lines) -> Path:
    """Plot at most six series by position, from zero upwards.

    Parameters
    ----------
    path
        PNG file to write.
    shown
        What to plot.
    """
    figure, axes = style.figure()
    for (name, values), colour in zip(shown.series.items(), _COLOURS, strict=False):
        marker = "o" if len(values) <= _MOST_MARKED else ""
        axes.plot(np.arange(len(values)), values, color=colour, label=name, marker=marker, markersize=3)
    style.count_axis(axes, shown.x_label)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(shown.y_label)
    style.legend(axes)
    return style.save(path, figure)


def drift(path: Path, measured: dict[str, Any]) -> Path:
    """Plot each second of free-running output, with the range of the recording as a band.

    Parameters
    ----------
    path
        PNG file to write.
    measured
        A drift measurement with ``track`` and ``range``.
    """
    names = list(measured["range"])
    figure, panels = style.panels(len(names), 1, 0.5 + 1.7 * len(names), sharex=True)
    for axes, name in zip(panels, names, strict=True):
        values = [np.nan if second[name] is None else second[name] for second in measured["track"]]
        axes.axhspan(*measured["range"][name], color=style.GREEN, alpha=0.2, label="range of the recording")
        axes.plot(np.arange(len(values)), values, color=style.SIGNALS["generated"], label="generated")
        axes.set_ylabel(columns.column(name).heading.replace(" (", "\n("))
    panels[-1].set_xlabel("time (s)")
    style.legend_above(figure, panels[0], 2)
    return style.save(path, figure)


def columns_of(log: Sequence[Mapping[str, str]]) -> Log:
    """Turn the rows of ``log.csv`` into columns.

    Parameters
    ----------
    log
        Rows, as `csv.DictReader` returns them.

    Returns
    -------
    dict of ndarray of float64, shape (rows,)
    """
    return {name: np.array([float(row[name] or "nan") for row in log]) for name in (log[0] if log else ())}


def curve_of(training: str, validation: str) -> Curve:
    """Make a curve without levels from the names of two columns of ``log.csv``.

    Parameters
    ----------
    training
        Such as ``bits`` or ``loss``.
    validation
        Such as ``valid_bits`` or ``valid_esr``.
    """
    names = dict.fromkeys((training, validation.removeprefix("valid_")))
    label = ", ".join(columns.column(name).title for name in names)
    scale = {"bits": "linear", "accuracy": "percent"}.get(training, "log")
    return Curve("loss", training, validation, label, "", f"{label} over steps", scale)


def curve_figure(curve: Curve, log: Log) -> style.Plot:
    """Plot a quantity over training steps, with its levels as horizontal lines.

    Parameters
    ----------
    curve
        What to plot.
    log
        ``step`` and the columns that `curve` names; a column that is missing leaves its line out.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it without pyplot.
    """
    steps = log.get("step", np.zeros(0))
    plot, axes = style.figure()
    for (name, level), (colour, dashes) in zip(curve.levels.items(), _LEVELS, strict=False):
        axes.axhline(level, color=colour, linestyle=dashes, label=name)
    if curve.training in log:
        alpha, width = (0.5, 1.0) if curve.validation else (None, None)
        axes.plot(steps, log[curve.training], color=style.BLUE, label="training", alpha=alpha, linewidth=width)
    if curve.validation in log:
        measured = ~np.isnan(log[curve.validation])
        values = log[curve.validation][measured]
        axes.plot(steps[measured], values, color=style.ORANGE, marker="o", markersize=3, label="validation")
    style.count_axis(axes, "step (one update)")
    axes.set_ylabel(curve.label)
    if curve.scale == "log":
        axes.set_yscale("log")
    elif curve.scale == "percent":
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter("{x:.0%}")
    else:
        axes.set_ylim(bottom=0, top=_top(curve, log))
    if len(axes.get_lines()) > _LEGEND_INSIDE:
        plot.set_figheight(style.HEIGHT + 0.7)
        style.legend_above(plot, axes, 2)
    else:
        style.legend(axes)
    return plot


def _top(curve: Curve, log: Log) -> float | None:
    """Upper end of a linear axis with levels; None leaves it to matplotlib."""
    values = log.get(curve.training, np.zeros(0))
    if not curve.levels or not np.isfinite(values).any():
        return None
    return _ABOVE * max([*curve.levels.values(), float(np.nanmedian(values))])


def learning_curve(path: Path, curve: Curve, log: Log) -> Path:
    """Write `curve_figure` as a PNG file, and return its path."""
    return style.save(path, curve_figure(curve, log))
