"""Plots of a pair in a diagnosis: correlation, levels over time, and transfer curve."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.pair_plots import Correlation, Levels, PairPlots
from dl4j_bridge.report import page, sound_plots, style

_COLOURS = (style.SIGNALS["input"], style.SIGNALS["target"], style.SIGNALS["error"])


def pictures(folder: Path, plots: PairPlots) -> list[str]:
    """Write the plots that there are into a folder; returns their HTML."""
    shown = []
    if plots.correlation:
        path = _correlation(folder / "correlation.png", plots.correlation)
        text = "The target follows the input at the lag of the highest peak. Several peaks of one height: the sound "
        text += "repeats itself, and the lag is uncertain."
        shown.append(page.picture(path, "correlation of input and target over lags", text))
    if plots.levels:
        path = _levels(folder / "levels.png", plots.levels)
        text = "The error of a filter has the same distance from the target everywhere, unless the effect changes over "
        text += "time or something else is in the target."
        shown.append(page.picture(path, "levels over time", text))
    if plots.transfer is not None:
        path = _transfer(folder / "transfer-classes.png", plots.transfer)
        text = "How often each class of the input meets each class of the target, with the delay cut out. A curve is a "
        text += "distortion, a wide band a filter or a delay, and a cloud without a direction two sounds."
        shown.append(page.picture(path, "target class over input class", text))
    return shown


def _correlation(path: Path, shown: Correlation) -> Path:
    plot, axes = style.figure()
    axes.plot(shown.lags, shown.values, color=style.BLUE, linewidth=1)
    axes.axvline(shown.found, color=style.ORANGE, linestyle="--", label=f"found: {shown.found:.2f} ms")
    if shown.low is not None and shown.high is not None:
        label = f"interval: {shown.low:.2f} to {shown.high:.2f} ms"
        axes.axvspan(shown.low, shown.high, color=style.ORANGE, alpha=0.2, label=label)
    axes.set(xlabel="lag of the target (ms)", ylabel="correlation (1 is the highest)")
    style.legend(axes)
    return style.save(path, plot)


def _levels(path: Path, shown: Levels) -> Path:
    plot, axes = style.figure()
    for (name, level), colour in zip(shown.levels.items(), _COLOURS, strict=True):
        axes.plot(shown.seconds, level, color=colour, label=name, linewidth=1.2)
    top = max(float(level.max()) for level in shown.levels.values())
    axes.set(xlabel="time in what was examined (s)", ylabel="level (dBFS)")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], top - 90))
    style.legend_above(plot, axes, len(shown.levels))
    return style.save(path, plot)


def _transfer(path: Path, counts: npt.NDArray[np.integer]) -> Path:
    plot, axes = style.figure()
    plot.set_figheight(style.WIDTH * 0.8)
    edge = counts.shape[0] - 0.5
    # Cells of two by two classes: single ones are too pale to see.
    cells = counts.reshape(128, 2, 128, 2).sum(axis=(1, 3)).astype(np.float64)
    sound_plots.density(axes, cells, (-0.5, edge, -0.5, edge), "Blues")
    axes.set(xlabel="input class (128 is silence)", ylabel="target class")
    return style.save(path, plot)
