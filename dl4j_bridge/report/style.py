"""What all plots have in common: size, colours, grid, and the PNG file."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dl4j_bridge.atomic_files import write_bytes

# The colours of Okabe and Ito, which colour-blind people can tell apart.
BLUE, ORANGE, GREEN, PINK, YELLOW, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#777777"
# One colour for each signal, the same in every plot.
SIGNALS = {"input": GREY, "target": BLUE, "output": ORANGE, "error": GREEN, "generated": PINK}
# In inches: 10-point letters stay readable where a telephone scales the plot down to its width.
WIDTH, HEIGHT = 5.5, 3.5
DOTS_PER_INCH = 160


# It speaks of the machine's load: the place of a legend takes over a second on a busy one.
warnings.filterwarnings("ignore", "Creating legend with loc", UserWarning)


class Plot(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
        return buffer.getvalue()


def figure() -> tuple[Plot, Axes]:
    """Make a figure with one pair of axes."""
    plot, axes = panels(1, 1, HEIGHT)
    return plot, axes[0]


def panels(rows: int, columns: int, height: float, **shared: Any) -> tuple[Plot, list[Axes]]:
    """Make a figure with several axes, row by row; `shared` as for `matplotlib.figure.Figure.subplots`."""
    plot = Plot(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = [a for row in plot.subplots(rows, columns, squeeze=False, **shared) for a in row]
    for a in axes:
        # A light grid, and no box around the plot.
        a.grid(True, alpha=0.3)
        a.spines[["top", "right"]].set_visible(False)
    return plot, axes


def log_axis(axes: Axes) -> None:
    """Make the vertical axis logarithmic, without minor ticks, whose layout is slow."""
    axes.set_yscale("log")
    axes.minorticks_off()


def count_axis(axes: Axes, label: str) -> None:
    """Label the horizontal axis, which counts steps or frames."""
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.set_xlabel(label)


def legend(axes: Axes) -> None:
    """Show the legend inside the axes."""
    axes.legend(frameon=False, fontsize=9)


def legend_above(plot: Figure, axes: Axes, columns: int) -> None:
    """Show the legend of `axes` above the plot, where curves leave no corner free."""
    plot.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=columns, frameon=False, fontsize=9)


def save(path: Path, plot: Plot) -> Path:
    """Write a figure as a PNG file, and return its path."""
    write_bytes(path, plot._repr_png_())
    return path


def decibels(power: Any) -> Any:
    """Convert a power to dB; a power below 1e-15 counts as 1e-15, so that silence has a finite level."""
    return 10 * np.log10(np.maximum(power, 1e-15))
