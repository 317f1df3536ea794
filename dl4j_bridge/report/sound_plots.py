"""Plots of sound: waves, spectra, transfer curves and classes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import EngFormatter, MaxNLocator

from dl4j_bridge.report import style
from dl4j_bridge.tasks.shown import Excerpt, Floats

Indices = npt.NDArray[np.uint8]

# The output covers the target, a wide pale line that stays visible where both are equal.
LINE_WIDTHS = {"input": 0.8, "target": 4.0}
WAVE_SECONDS = 0.02
# A stretch below this share of the mean energy is a rest, which is not typical.
REST = 0.01
# Range of a spectrogram's colours, below the maximum of the target.
RANGE_DB = 80
MOST_FRAMES = 600
LEVELS = 64
# A mean of fewer samples is not plotted.
FEWEST_OF_MEAN = 5


def places(target: Floats, output: Floats, size: int) -> dict[str, int]:
    """Find the stretch with the largest error, and one with a typical error.

    Parameters
    ----------
    target, output : ndarray of float, shape (n,)
    size
        Number of samples in a stretch; stretches are adjacent.

    Returns
    -------
    dict
        First sample of the stretch with the ``largest error`` and of the one with the ``typical error``, which is the
        median over the stretches that are not a rest.
    """
    count = max(target.size // size, 1)
    energies, errors = (
        np.array([np.sum(part**2) for part in np.array_split(signal[: count * size], count)])
        for signal in (target, output - target)
    )
    sounding = np.flatnonzero(energies >= REST * energies.mean())
    usual = sounding[np.argsort(errors[sounding])[(sounding.size - 1) // 2]]
    return {"largest error": int(errors.argmax()) * size, "typical error": int(usual) * size}


def wave_size(excerpt: Excerpt) -> int:
    """Return the number of samples that `waves` plots of each place."""
    return max(min(round(WAVE_SECONDS * excerpt.rate), excerpt.size), 1)


def waves(path: Path, excerpt: Excerpt) -> Path:
    """Plot target and output over each other where the error of the held-out part is largest, and where it is typical.

    Times are those of the whole excerpt, as in the player.
    """
    held_out = excerpt.held_out
    size = wave_size(held_out)
    shown = {name: held_out.sounds[name] for name in ("input", "target", "output") if name in held_out.sounds}
    plot, axes = style.panels(2, 1, 5)
    found = places(shown["target"], shown["output"], size)
    for a, (name, start) in zip(axes, found.items(), strict=True):
        here = slice(start, start + size)
        milliseconds = 1000 * (excerpt.trained + start + np.arange(shown["target"][here].size)) / excerpt.rate
        for signal, sound in shown.items():
            _line(a, signal, milliseconds, sound[here])
        a.set_title(f"{name} ({milliseconds[0] / 1000:.2f} s)", fontsize=10, loc="left")
        a.set_ylabel("sample value")
        a.xaxis.set_major_locator(MaxNLocator(6))
    axes[1].set_xlabel("time in the excerpt (ms)")
    plot.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return style.save(path, plot)


def power_density(sound: Floats, rate: int, size: int, hop: int) -> npt.NDArray[np.float64]:
    """Compute the one-sided power spectral density over time, with a Hann window.

    Parameters
    ----------
    sound : ndarray of float, shape (n,)
        A sound shorter than `size` is padded with zeros.
    rate
        Sample rate in Hz.
    size, hop
        Samples in a frame, and from one frame to the next.

    Returns
    -------
    ndarray of float64, shape (size // 2 + 1, frames)
        In FS²/Hz; the mean over the frames is Welch's estimate.
    """
    padded = np.pad(np.asarray(sound, np.float64), (0, max(size - sound.size, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    density = np.abs(np.fft.rfft(frames * window)) ** 2 / (rate * np.sum(window**2))
    density[:, 1 : -1 if size % 2 == 0 else None] *= 2
    return density.T


def frame_size(rate: int, seconds: float) -> int:
    """Return the power of two that is closest to a duration, in samples."""
    return int(2 ** max(round(np.log2(rate * seconds)), 4))


def spectrograms(path: Path, excerpt: Excerpt) -> Path:
    """Plot a spectrogram of the held-out part of each signal, the error last, all with the same colours."""
    held_out = excerpt.held_out
    signals = _with_error(held_out)
    size = frame_size(excerpt.rate, 0.023)
    hop = max(size // 4, held_out.size // MOST_FRAMES)
    levels = {name: style.decibels(power_density(sound, excerpt.rate, size, hop)) for name, sound in signals.items()}
    top = max(float(levels["target"].max()), -120.0)
    plot, axes = style.panels(len(levels), 1, 0.6 + 1.45 * len(levels), sharex=True, sharey=True)
    for a, (name, level) in zip(axes, levels.items(), strict=True):
        extent = (excerpt.trained / excerpt.rate, excerpt.size / excerpt.rate, 0, excerpt.rate / 2000)
        image = a.imshow(
            level, origin="lower", aspect="auto", extent=extent, cmap="cividis", vmin=top - RANGE_DB, vmax=top
        )
        a.grid(False)
        a.set_title(name, fontsize=10, loc="left")
        a.set_ylabel("kHz")
    axes[-1].set_xlabel("time in the excerpt (s)")
    plot.colorbar(image, ax=axes, label="power (dB re FS²/Hz)", aspect=40)
    return style.save(path, plot)


def error_spectrum(path: Path, excerpt: Excerpt) -> Path:
    """Plot the power of target, output and error over frequency."""
    signals = {name: sound for name, sound in _with_error(excerpt).items() if name != "input"}
    size = frame_size(excerpt.rate, 0.046)
    frequencies = np.fft.rfftfreq(size, 1 / excerpt.rate)
    plot, axes = style.figure()
    top = -150.0
    for name, sound in signals.items():
        level = style.decibels(power_density(sound, excerpt.rate, size, size // 2).mean(axis=1))
        top = max(top, float(level.max()))
        _line(axes, name, frequencies[1:], level[1:])
    limits = frequencies[1], frequencies[-1]
    axes.set(xscale="log", xlim=limits, xlabel="frequency (Hz)", ylabel="power (dB re FS²/Hz)")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], top - 100))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    style.legend(axes)
    return style.save(path, plot)


def mean_by_level(x: Floats, y: Floats, edges: Floats) -> Floats:
    """Compute the mean of `y` for each interval of `x`.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
    edges : ndarray of float, shape (k + 1,)
        Borders of the intervals in increasing order; `x` must lie between the first and the last.

    Returns
    -------
    ndarray of float64, shape (k,)
        NaN for an interval with fewer than `FEWEST_OF_MEAN` samples.
    """
    counts, _ = np.histogram(x, edges)
    sums, _ = np.histogram(x, edges, weights=y)
    return np.where(counts >= FEWEST_OF_MEAN, sums / np.maximum(counts, 1), np.nan)


def transfer(path: Path, excerpt: Excerpt) -> Path:
    """Plot how often each pair of input and output level occurs, and the mean, for target and output."""
    x = excerpt.sounds["input"]
    shown = [name for name in ("target", "output") if name in excerpt.sounds]
    reach = 1.02 * max(float(np.abs(x).max()), 1e-3)
    height = 1.02 * max(*(float(np.abs(excerpt.sounds[name]).max()) for name in shown), 1e-3)
    across, up = np.linspace(-reach, reach, LEVELS + 1), np.linspace(-height, height, LEVELS + 1)
    middles = (across[1:] + across[:-1]) / 2
    plot, axes = style.panels(1, len(shown), 3.3, sharex=True, sharey=True)
    for a, name in zip(axes, shown, strict=True):
        y = excerpt.sounds[name]
        counts, _, _ = np.histogram2d(x, y, (across, up))
        density(a, counts, (-reach, reach, -height, height), "Blues" if name == "target" else "Oranges")
        a.plot(middles, mean_by_level(x, y, across), color="black", linewidth=1.5, label="mean")
        if name == "output":
            mean, colour = mean_by_level(x, excerpt.sounds["target"], across), style.SIGNALS["target"]
            a.plot(middles, mean, color=colour, linestyle="--", linewidth=1.5, label="mean of the target")
        a.set_title(name, fontsize=10, loc="left")
        a.set_xlabel("input (sample value)")
        style.legend(a)
    axes[0].set_ylabel("sample value")
    return style.save(path, plot)


def histogram(path: Path, counts: Mapping[str, npt.NDArray[np.integer]]) -> Path:
    """Plot how often each class occurs.

    Parameters
    ----------
    path
        PNG file to write.
    counts : dict of ndarray of int, shape (classes,)
        Counts by signal.
    """
    plot, axes = style.panels(len(counts), 1, 0.7 + 1.3 * len(counts), sharex=True, sharey=True)
    for a, (name, count) in zip(axes, counts.items(), strict=True):
        a.fill_between(np.arange(count.size), count / max(count.sum(), 1), step="mid", color=style.SIGNALS[name])
        a.set_title(name, fontsize=10, loc="left")
        style.log_axis(a)
    axes[-1].set_xlabel("class (128 is silence)")
    plot.supylabel("share of samples", fontsize=10)
    return style.save(path, plot)


def overlay(path: Path, rate: int, sounds: Mapping[str, Floats]) -> Path:
    """Plot 20 ms of several waves over each other, around the peak of the first.

    Parameters
    ----------
    path
        PNG file to write.
    rate
        Sample rate in Hz.
    sounds : dict of ndarray of float, shape (n,)
        At most three sounds by name.
    """
    first = next(iter(sounds.values()))
    size = round(WAVE_SECONDS * rate)
    start = max(int(np.argmax(np.abs(first))) - size // 2, 0)
    plot, axes = style.figure()
    milliseconds = 1000 * (start + np.arange(min(size, first.size - start))) / rate
    for (name, sound), colour in zip(sounds.items(), (style.GREY, style.BLUE, style.ORANGE), strict=False):
        axes.plot(milliseconds, sound[start : start + size], color=colour, label=name, linewidth=1.5)
    axes.set(xlabel="time (ms)", ylabel="sample value")
    style.legend(axes)
    return style.save(path, plot)


def confusion(path: Path, target: Indices, output: Indices) -> Path:
    """Plot the distance between the classes of output and target: how often each occurs, and at which classes.

    Parameters
    ----------
    path
        PNG file to write.
    target, output : ndarray of uint8, shape (n,)
        Classes of the target, and the most probable classes of the output.
    """
    off = output.astype(np.int64) - target
    reach = int(np.clip(np.percentile(np.abs(off), 99), 4, 128))
    plot, (shares, where) = style.panels(2, 1, 5.5)
    beyond = float(np.mean(np.abs(off) > reach))
    inside = np.bincount(off[np.abs(off) <= reach] + reach, minlength=2 * reach + 1) / off.size
    shares.bar(np.arange(-reach, reach + 1), inside, width=1.0, color=style.SIGNALS["output"])
    style.log_axis(shares)
    shares.set_ylim(bottom=0.5 / off.size)
    shares.axvline(0, color=style.GREY, linewidth=1)
    outside = f"; {beyond:.1%} beyond this range" if beyond else ""
    shares.set_title(f"{inside[reach]:.1%} exact{outside}", fontsize=10, loc="left")
    shares.set(xlabel="output class minus target class", ylabel="share of samples")
    edges = np.arange(0, 257, 2) - 0.5, np.arange(-reach, reach + 2) - 0.5
    counts, _, _ = np.histogram2d(target, off, edges)
    density(where, counts, (-0.5, 255.5, -reach - 0.5, reach + 0.5), "Oranges")
    where.axhline(0, color=style.GREY, linewidth=1)
    where.set(xlabel="target class (128 is silence)", ylabel="distance in classes")
    return style.save(path, plot)


def _with_error(excerpt: Excerpt) -> dict[str, Floats]:
    return excerpt.sounds | ({} if excerpt.error is None else {"error": excerpt.error})


def _line(axes: Axes, signal: str, x: Floats, y: Floats) -> None:
    width, alpha = LINE_WIDTHS.get(signal, 1.3), 0.4 if signal == "target" else None
    axes.plot(x, y, color=style.SIGNALS[signal], label=signal, linewidth=width, alpha=alpha)


def density(axes: Axes, counts: Floats, extent: tuple[float, float, float, float], colours: str) -> None:
    """Plot counts of shape (across, up) as shades on a logarithmic scale; zero is not shaded."""
    shades = np.ma.masked_equal(counts.T, 0)
    # The lightest shade is hard to see on the background.
    norm = LogNorm(vmin=0.3, vmax=max(float(counts.max()), 1.0))
    axes.imshow(shades, origin="lower", aspect="auto", extent=extent, cmap=colours, norm=norm, interpolation="nearest")
