"""Pictures as matplotlib figures, for those who go on with them in Python."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dl4j_bridge.report.canvas import BLUE, ORANGE


class Picture(Figure):
    """A figure that a notebook shows by itself; one of matplotlib's waits for pyplot there."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def learning(curves: dict[str, npt.NDArray[np.float64]]) -> Figure:
    """Draw bits per sample over steps.

    Parameters
    ----------
    curves
        ``step``, ``bits`` and ``valid_bits``, of one shape; the last is NaN at steps without a validation.
    """
    figure = Picture(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step (one update)", ylabel="bits per sample")
    axes.plot(curves["step"], curves["bits"], color=BLUE, alpha=0.5, linewidth=1, label="training")
    judged = ~np.isnan(curves["valid_bits"])
    axes.plot(curves["step"][judged], curves["valid_bits"][judged], color=ORANGE, marker="o", label="validation")
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)
    axes.legend(frameon=False)
    return figure
