"""Pictures of a run, as PNG files. Nothing here needs a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dl4j_bridge.files import write_bytes

Floats = npt.NDArray[np.floating]

# Okabe and Ito's colours, which colour-blind people can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
# Bits of a uniform guess over 256 classes.
CHANCE_BITS = 8.0
# An exact copy would have a bar of infinite length.
SMALLEST_ESR = 1e-9


def loss(path: Path, log: list[dict[str, str]], entropy_bits: float) -> None:
    """Bits per sample over steps, with the floors that tell where a stuck run stands.

    Parameters
    ----------
    path
        The PNG to write.
    log
        Rows of ``log.csv``.
    entropy_bits
        Order-0 entropy of the target: what a model reaches that has learnt the histogram and nothing else.
    """
    figure, axes = _figure()
    axes.axhline(CHANCE_BITS, color=GREY, linestyle=":", label="chance (8 bits)")
    axes.axhline(entropy_bits, color=GREEN, linestyle="--", label=f"histogram of the target ({entropy_bits:.2f} bits)")
    _curves(axes, log, "bits", "valid_bits")
    axes.set_ylabel("bits per sample")
    axes.set_ylim(bottom=0, top=10)
    _save(path, figure, axes)


def trial(path: Path, curve: dict[str, list[float]], floors: dict[str, float]) -> None:
    """Bits of a short trial over steps, with the levels at which a loss stands still.

    Parameters
    ----------
    path
        The PNG to write.
    curve
        ``step`` and ``bits``.
    floors
        Bits per sample by name.
    """
    figure, axes = _figure()
    for (name, bits), colour in zip(floors.items(), (GREY, GREEN, ORANGE), strict=False):
        axes.axhline(bits, color=colour, linestyle="--", label=f"{name.replace('_', ' ')} ({bits:.2f} bits)")
    axes.plot(curve["step"], curve["bits"], color=BLUE, label="training")
    axes.set_xlabel("step (one update)")
    axes.set_ylabel("bits per sample")
    axes.set_ylim(bottom=0)
    _save(path, figure, axes)


def histogram(path: Path, counts: dict[str, npt.NDArray[np.integer]]) -> None:
    """How often each class comes, as a share of the samples; arrays of shape (256,) by name."""
    figure, axes = _figure()
    for (name, count), colour in zip(counts.items(), (BLUE, ORANGE), strict=False):
        axes.step(np.arange(count.size), count / max(count.sum(), 1), where="mid", color=colour, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("class (128 is silence)")
    axes.set_ylabel("share of the samples")
    _save(path, figure, axes)


def accuracy(path: Path, log: list[dict[str, str]]) -> None:
    """Share of exact classes over steps."""
    figure, axes = _figure()
    _curves(axes, log, "accuracy", "valid_accuracy")
    axes.set_ylabel("exact classes")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter("{x:.0%}")
    _save(path, figure, axes)


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
    figure, axes = _figure()
    milliseconds = 1000 * (start + np.arange(min(size, first.size - start))) / rate
    for (name, sound), colour in zip(sounds.items(), (GREY, BLUE, ORANGE), strict=False):
        axes.plot(milliseconds, sound[start : start + size], color=colour, label=name, linewidth=1.5)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("sample value")
    _save(path, figure, axes)


def comparison(path: Path, rows: list[dict[str, Any]]) -> None:
    """Bits per sample and signal-to-noise ratio of the model and the baselines, side by side."""
    figure = Figure(figsize=(11, 1 + 0.4 * len(rows)), layout="constrained")
    bits, decibels = figure.subplots(1, 2, sharey=True)
    _bars(bits, [(row["name"], row["bits"]) for row in rows], "%.2f")
    bits.set_xlabel("bits per sample, shorter is better")
    ratios = [None if row["esr"] is None else -10 * np.log10(max(row["esr"], SMALLEST_ESR)) for row in rows]
    _bars(decibels, list(zip((row["name"] for row in rows), ratios, strict=True)), "%.1f")
    decibels.set_xlabel("signal-to-noise ratio (dB), longer is better")
    bits.invert_yaxis()
    _save(path, figure, bits, legend=False)


def _bars(axes: Axes, values: list[tuple[str, float | None]], form: str) -> None:
    """Horizontal bars, the first in a colour of its own; none where there is no value."""
    heights = [np.nan if value is None else value for _, value in values]
    bars = axes.barh([name for name, _ in values], heights, color=[ORANGE] + [BLUE] * (len(values) - 1))
    axes.bar_label(bars, labels=["" if np.isnan(height) else form % height for height in heights], padding=3)
    axes.margins(x=0.15)
    _style(axes)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    _style(axes)
    return figure, axes


def _style(axes: Axes) -> None:
    axes.grid(True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _curves(axes: Axes, log: list[dict[str, str]], training: str, validation: str) -> None:
    steps = [int(row["step"]) for row in log]
    axes.plot(steps, [float(row[training]) for row in log], color=BLUE, alpha=0.5, linewidth=1, label="training")
    judged = [(int(row["step"]), float(row[validation])) for row in log if row[validation]]
    axes.plot(
        *zip(*judged, strict=True) if judged else ((), ()), color=ORANGE, marker="o", markersize=3, label="validation"
    )
    axes.set_xlabel("step (one update)")


def _save(path: Path, figure: Figure, axes: Axes, legend: bool = True) -> None:
    if legend:
        axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())
