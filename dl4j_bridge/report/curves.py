"""Plots of learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dl4j_bridge.report import style
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Curve

Log = Mapping[str, npt.NDArray[np.float64]]
"""Columns of ``log.csv`` by name; NaN at steps without a value."""

# Lines of the levels, which differ without colours too.
_LEVELS = ((style.GREY, ":"), (style.GREEN, "--"), (style.PINK, "-."), (style.YELLOW, "-."))
# More entries than this would cover the curves.
_LEGEND_INSIDE = 4
# Room above the highest level, and above the middle of a curve: a spike at the start is cut off.
_ABOVE = 1.25


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


def figure(curve: Curve, log: Log) -> Figure:
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
        pale: dict[str, Any] = {"alpha": 0.5, "linewidth": 1.0} if curve.validation else {}
        axes.plot(steps, log[curve.training], color=style.BLUE, label="training", **pale)
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


def plot(path: Path, curve: Curve, log: Log) -> None:
    """Write `figure` as a PNG file."""
    style.save(path, figure(curve, log))
