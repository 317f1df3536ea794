"""Plots of several series over one axis."""

from pathlib import Path

import numpy as np

from dl4j_bridge.report import style
from dl4j_bridge.tasks.shown import Lines

_COLOURS = (style.ORANGE, style.PINK, style.GREY, style.BLUE, style.GREEN, style.YELLOW)
# Beyond this number of points the markers would hide the lines.
_MOST_MARKED = 200


def plot(path: Path, lines: Lines) -> None:
    """Plot series by position, from zero upwards.

    Parameters
    ----------
    path
        PNG file to write.
    lines
        What to plot; at most six series.
    """
    figure, axes = style.figure()
    for (name, values), colour in zip(lines.series.items(), _COLOURS, strict=False):
        marker = "o" if len(values) <= _MOST_MARKED else ""
        axes.plot(np.arange(len(values)), values, color=colour, label=name, marker=marker, markersize=3)
    axes.set_ylim(bottom=0)
    style.count_axis(axes, lines.x_label)
    axes.set_ylabel(lines.y_label)
    style.legend(axes)
    style.save(path, figure)
