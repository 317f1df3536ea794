"""What all pictures have in common: size, colours, grid, and how they become a PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dl4j_bridge.atomic_files import write_bytes

# Okabe and Ito's colours, which colour-blind people can tell apart.
BLUE, ORANGE, GREEN, PINK, YELLOW, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#777777"
# One colour a signal, in every picture.
SIGNALS = {"input": GREY, "target": BLUE, "output": ORANGE, "error": GREEN, "drawn": PINK}
# In inches: so narrow that 10-point letters can be read where a telephone shrinks the picture to its width.
WIDTH, HEIGHT = 5.5, 3.5
DOTS_PER_INCH = 160


def figure(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A picture with one pair of axes."""
    drawn, grid = panels(1, 1, height)
    return drawn, grid[0]


def panels(rows: int, columns: int, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A picture of several axes, row by row."""
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = [a for row in drawn.subplots(rows, columns, squeeze=False, **shared) for a in row]
    for a in axes:
        style(a)
    return drawn, axes


def style(axes: Axes) -> None:
    axes.grid(True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def shares_axis(axes: Axes) -> None:
    """A logarithmic axis, without the minor ticks, which take long to lay out."""
    axes.set_yscale("log")
    axes.minorticks_off()


def legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=9)


def save(path: Path, drawn: Figure) -> None:
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    write_bytes(path, buffer.getvalue())


def decibels(power: Any) -> Any:
    """Of a power; what is below 1e-15 counts as that, so that silence has a place on the axis."""
    return 10 * np.log10(np.maximum(power, 1e-15))
