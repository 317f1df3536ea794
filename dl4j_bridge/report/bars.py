"""Bar charts of a comparison."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.report import style
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Chart

_DIRECTIONS = {columns.LOWER: "shorter is better", columns.HIGHER: "longer is better"}


def plot(path: Path, rows: Sequence[Mapping[str, Any]], chart: Chart) -> None:
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
        bars = axes.barh(names, _lengths([row[name] for row in rows], labels), color=colours)
        axes.bar_label(bars, labels=labels, padding=3)
        # Room for the labels.
        axes.margins(x=0.3)
        axes.set_xlabel("\n".join([columns.column(name).title, *_direction(name)]))
    panels[0].invert_yaxis()
    style.save(path, figure)


def _lengths(values: list[float | None], labels: list[str]) -> list[float]:
    """Lengths of the bars; that of an exact row, whose ratio is infinite, is the largest of the others."""
    longest = max((value for value in values if value is not None), default=1.0)
    missing = [longest if label == columns.EXACT else np.nan for label in labels]
    return [m if value is None else value for value, m in zip(values, missing, strict=True)]


def _direction(name: str) -> list[str]:
    better = columns.column(name).better
    return [f"({_DIRECTIONS[better]})"] if better else []
