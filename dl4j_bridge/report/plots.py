"""Pictures of a run, as PNG files. Nothing here needs a display."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from dl4j_bridge.report.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SIGNALS,
    YELLOW,
    figure,
    legend,
    panels,
    save,
    shares_axis,
)

Floats = npt.NDArray[np.floating]

# Bits of a uniform guess over 256 classes.
CHANCE_BITS = 8.0
# An exact copy would have a bar of infinite length.
SMALLEST_ESR = 1e-9


def loss(path: Path, log: list[dict[str, str]], entropy_bits: float, baselines: dict[str, float] | None = None) -> None:
    """Bits per sample over steps, with the floors that tell where a stuck run stands.

    Parameters
    ----------
    path
        The PNG to write.
    log
        Rows of ``log.csv``.
    entropy_bits
        Order-0 entropy of the target: what a model reaches that has learnt the histogram and nothing else.
    baselines
        Bits of some baselines by name, at most two.
    """
    drawn, axes = figure(4.2)
    axes.axhline(CHANCE_BITS, color=GREY, linestyle=":", label="chance (8 bits)")
    axes.axhline(entropy_bits, color=GREEN, linestyle="--", label=f"histogram of the target ({entropy_bits:.2f} bits)")
    for (name, bits), colour in zip((baselines or {}).items(), (PINK, YELLOW), strict=False):
        axes.axhline(bits, color=colour, linestyle="-.", label=f"{name} ({bits:.2f} bits)")
    _curves(axes, log, "bits", "valid_bits")
    axes.set_ylabel("bits per sample")
    axes.set_ylim(bottom=0, top=10)
    # Curves and floors leave no corner free.
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    save(path, drawn)


def squared_error(path: Path, log: list[dict[str, str]], training: str, validation: str) -> None:
    """Loss over steps, on a logarithmic axis.

    Parameters
    ----------
    path
        The PNG to write.
    log
        Rows of ``log.csv``.
    training, validation
        The columns to draw; that of validation without its ``valid_``.
    """
    drawn, axes = figure(4.2)
    _curves(axes, log, training, f"valid_{validation}")
    axes.set_yscale("log")
    axes.set_ylabel(validation.upper())
    legend(axes)
    save(path, drawn)


def trial(path: Path, curve: dict[str, list[float]], floors: dict[str, float]) -> None:
    """Loss of a short trial over steps, with the levels at which it stands still.

    Parameters
    ----------
    path
        The PNG to write.
    curve
        ``step``, and ``bits`` of classes or ``loss`` of vectors.
    floors
        Bits per sample by name.
    """
    drawn, axes = figure()
    for (name, bits), colour in zip(floors.items(), (GREY, GREEN, ORANGE), strict=False):
        axes.axhline(bits, color=colour, linestyle="--", label=f"{name.replace('_', ' ')} ({bits:.2f} bits)")
    has_bits = "bits" in curve
    axes.plot(curve["step"], curve["bits" if has_bits else "loss"], color=BLUE, label="training")
    axes.set_xlabel("step (one update)")
    axes.set_ylabel("bits per sample" if has_bits else "loss")
    axes.set_ylim(bottom=0)
    legend(axes)
    save(path, drawn)


def histogram(path: Path, counts: dict[str, npt.NDArray[np.integer]]) -> None:
    """How often each class comes, as a share of the samples; arrays of shape (256,) by name."""
    drawn, axes = panels(len(counts), 1, 0.7 + 1.3 * len(counts), sharex=True, sharey=True)
    for a, (name, count) in zip(axes, counts.items(), strict=True):
        a.fill_between(np.arange(count.size), count / max(count.sum(), 1), step="mid", color=SIGNALS[name])
        a.set_title(name, fontsize=10, loc="left")
        shares_axis(a)
    axes[-1].set_xlabel("class (128 is silence)")
    drawn.supylabel("share of the samples", fontsize=10)
    save(path, drawn)


def accuracy(path: Path, log: list[dict[str, str]], commonest: float) -> None:
    """Share of exact classes over steps.

    Parameters
    ----------
    path
        The PNG to write.
    log
        Rows of ``log.csv``.
    commonest
        Share of the target's commonest class: what a model reaches that always says that one.
    """
    drawn, axes = figure()
    axes.axhline(commonest, color=GREEN, linestyle="--", label=f"always the commonest class ({commonest:.1%})")
    _curves(axes, log, "accuracy", "valid_accuracy")
    axes.set_ylabel("exact classes")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter("{x:.0%}")
    legend(axes)
    save(path, drawn)


def overlay(path: Path, rate: int, sounds: dict[str, Floats]) -> None:
    """Waves over each other, around the loudest place of the first, 20 ms long.

    Parameters
    ----------
    path
        The PNG to write.
    rate
        In Hz.
    sounds
        Arrays of equal length by name.
    """
    first = next(iter(sounds.values()))
    size = round(0.02 * rate)
    start = max(int(np.argmax(np.abs(first))) - size // 2, 0)
    drawn, axes = figure()
    milliseconds = 1000 * (start + np.arange(min(size, first.size - start))) / rate
    for (name, sound), colour in zip(sounds.items(), (GREY, BLUE, ORANGE), strict=False):
        axes.plot(milliseconds, sound[start : start + size], color=colour, label=name, linewidth=1.5)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("sample value")
    legend(axes)
    save(path, drawn)


def comparison(path: Path, rows: list[dict[str, Any]]) -> None:
    """Signal-to-noise ratio of the model and the baselines, beside bits per sample where there are such."""
    has_bits = "bits" in rows[0]
    drawn, axes = panels(1, 2 if has_bits else 1, 1 + 0.35 * len(rows), sharey=True)
    decibels = axes[-1]
    if has_bits:
        _bars(axes[0], [(row["name"], row["bits"]) for row in rows], "%.2f")
        axes[0].set_xlabel("bits per sample\n(shorter is better)")
    ratios = [None if row["esr"] is None else -10 * np.log10(max(row["esr"], SMALLEST_ESR)) for row in rows]
    _bars(decibels, list(zip((row["name"] for row in rows), ratios, strict=True)), "%.1f")
    decibels.set_xlabel("signal-to-noise ratio (dB)\n(longer is better)")
    decibels.invert_yaxis()
    save(path, drawn)


def drift(path: Path, drift: dict[str, Any]) -> None:
    """Level, entropy and spectrum of free-running output, a point a second, as `drift.measure` gives them."""
    headings = {"level_db": "level (dB)", "entropy_bits": "entropy (bits)", "spectrum_db": "spectrum\noff by (dB)"}
    drawn, axes = panels(len(headings), 1, 5.5, sharex=True)
    for a, (name, heading) in zip(axes, headings.items(), strict=True):
        a.axhspan(*drift["range"][name], color=GREEN, alpha=0.2, label="the recording's seconds")
        values = [np.nan if facts[name] is None else facts[name] for facts in drift["track"]]
        a.plot(np.arange(len(values)), values, color=SIGNALS["drawn"], label="drawn")
        a.set_ylabel(heading)
    axes[-1].set_xlabel("time (s)")
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    save(path, drawn)


def ratios(path: Path, rows: list[dict[str, Any]]) -> None:
    """Signal-to-noise ratio of the model and of what it is compared with."""
    drawn, axes = figure(1 + 0.35 * len(rows))
    _bars(axes, [(row["name"], row["snr_db"]) for row in rows], "%.1f")
    axes.set_xlabel("signal-to-noise ratio (dB), longer is better")
    axes.invert_yaxis()
    save(path, drawn)


def _bars(axes: Axes, values: list[tuple[str, float | None]], form: str) -> None:
    """Horizontal bars, the first in a colour of its own; none where there is no value."""
    heights = [np.nan if value is None else value for _, value in values]
    bars = axes.barh([name for name, _ in values], heights, color=[ORANGE] + [BLUE] * (len(values) - 1))
    axes.bar_label(
        bars, labels=["" if np.isnan(height) else form % (round(height, 2) + 0.0) for height in heights], padding=3
    )
    # Room for the figures behind the bars.
    axes.margins(x=0.3)


def _curves(axes: Axes, log: list[dict[str, str]], training: str, validation: str) -> None:
    steps = [int(row["step"]) for row in log]
    axes.plot(steps, [float(row[training]) for row in log], color=BLUE, alpha=0.5, linewidth=1, label="training")
    judged = [(int(row["step"]), float(row[validation])) for row in log if row[validation]]
    axes.plot(
        *zip(*judged, strict=True) if judged else ((), ()), color=ORANGE, marker="o", markersize=3, label="validation"
    )
    axes.set_xlabel("step (one update)")
