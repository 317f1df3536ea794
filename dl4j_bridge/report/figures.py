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
    """Draw bits per sample over steps, or of a network that gives numbers its loss and error-to-signal ratio.

    Parameters
    ----------
    curves
        ``step``, and ``bits`` and ``valid_bits`` or ``loss`` and ``valid_esr``, of one shape; the last is NaN at steps
        without a validation.
    """
    has_bits = "bits" in curves
    training, validation = ("bits", "valid_bits") if has_bits else ("loss", "valid_esr")
    label = "bits per sample" if has_bits else "loss, and ESR of the validation"
    figure = Picture(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step (one update)", ylabel=label)
    axes.plot(curves["step"], curves[training], color=BLUE, alpha=0.5, linewidth=1, label="training")
    judged = ~np.isnan(curves[validation])
    axes.plot(curves["step"][judged], curves[validation][judged], color=ORANGE, marker="o", label="validation")
    if has_bits:
        axes.set_ylim(bottom=0)
    else:
        axes.set_yscale("log")
    axes.grid(True, alpha=0.3)
    axes.legend(frameon=False)
    return figure
