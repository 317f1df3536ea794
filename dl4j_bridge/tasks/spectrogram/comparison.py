"""A comparison of separated stems: the network, masks, and masks that know the stem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import WARM_UP, Network
from dl4j_bridge.signal.pairs import Pair, Split
from dl4j_bridge.signal.stft import Spectra
from dl4j_bridge.tasks.comparison import Comparison, Contender, Evaluated, Row, Samples
from dl4j_bridge.tasks.excerpts import SECONDS, loudest_vectors
from dl4j_bridge.tasks.shown import Chart, Excerpt, Lines

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Fitted
    from dl4j_bridge.tasks.spectrogram.task import Magnitudes, SpectrogramTask

# Spectra of the estimated stem from those of the mixture and of the stem, the first of which has the given number.
Separate = Callable[[Spectra, Spectra, int], Spectra]

# Windows from an empty state that are run at once; the number changes nothing.
SIDE_BY_SIDE = 64
# Below every audible magnitude: silence has no ratio.
SMALLEST = 1e-12
# Rows whose border jumps are plotted.
PLOTTED = ("model", "stateless", "oracle-ratio")


class SpectrogramComparison(Comparison):
    """The evaluated stretch of a pair, with the past of the network.

    Rows have ``si_sdr_db`` (ratio to what is no scaled copy of the stem), ``improvement_db`` (of that over the
    mixture), ``sdr_db`` (which allows the stem a filter of 512 taps), ``mse`` and ``border_jump`` (how far the spectrum
    jumps at the borders of windows, as a multiple of its usual jump).
    """

    has_speed = False
    chart = Chart(
        ("improvement_db",),
        "Against the masks",
        "improvement of SI-SDR",
        "How far each stem is from the true one, against doing nothing. The oracles know the true stem: they are a "
        "bound for masks, not a way to separate anything.",
    )

    def __init__(self, task: SpectrogramTask, pair: Pair, split: Split | None, fitted: Fitted) -> None:
        self._task, self._rate, self._fitted = task, pair.rate, fitted
        # Frames of a window that begins with an empty state.
        self._window = window = fitted.settings.network.tbptt
        start, end = split["test"] if split else (0, pair.length // task.hop * task.hop)
        # Whole windows, so that the borders are where they are in the whole recording.
        before = -(-max(WARM_UP, task.window // task.hop) // window) * window * task.hop
        begin = max(start // (window * task.hop) * window * task.hop - before, 0)
        self._sounds = mixture_and_stem(pair, begin, end - begin)
        self._x, self._y = (
            np.concatenate([task.normalize(s) for s in task.stft.spectra([sound])])[: (end - begin) // task.hop]
            for sound in self._sounds
        )
        self._first = (start - begin) // task.hop
        self._start = begin + self._first * task.hop
        self._jumps: dict[str, npt.NDArray[np.float64]] = {}
        # Samples that are made of evaluated frames alone.
        overlap = task.window - task.hop
        self._evaluated = slice(self._first * task.hop, max(len(self._x) * task.hop - overlap, 0))
        self._mixture, self._stem = (sound[self._evaluated] for sound in self._sounds)
        self.part = "test" if split else "all"
        self.samples = self._stem.size
        if self.samples < task.window:
            raise InputError(pair.input.path, "too short", "wanted a longer recording")

    def contenders(self) -> list[Contender]:
        network = self._fitted.network
        ways: dict[str, Separate] = {
            "model": self._streamed(network),
            "stateless": self._stateless(network),
            "mixture": lambda mixture, stem, at: mixture,
        }
        for baseline in self._task.fitted_baselines(self._fitted.baselines):
            ways[baseline.name] = lambda mixture, stem, at, b=baseline: np.asarray(b.predict(mixture).values)  # type: ignore[misc]
        ways |= {"oracle-wiener": partial(_masked, 2), "oracle-ratio": partial(_masked, 1)}
        return [Contender(name, None, partial(self._separated, way)) for name, way in ways.items()]

    def _streamed(self, network: Network) -> Separate:
        """Block by block, so that a long recording shows its progress."""
        stream = cache(network.dense_stream)
        return lambda mixture, stem, at: self._task.separated(mixture, stream().run(self._x[at : at + len(mixture)]))

    def _stateless(self, network: Network) -> Separate:
        output = cache(lambda: stateless(network, self._x, self._window))
        return lambda mixture, stem, at: self._task.separated(mixture, output()[at : at + len(mixture)])

    def _separated(self, separate: Separate) -> Iterator[Spectra]:
        at = 0
        for mixture, stem in zip(*(self._task.stft.spectra([sound]) for sound in self._sounds), strict=True):
            inside = slice(len(self._x) - at)
            found = separate(mixture[inside], stem[inside], at)
            at += len(found)
            yield found

    def samples_in(self, block: Spectra) -> int:
        return len(block) * self._task.hop

    def evaluate(self, name: str, blocks: Iterable[Spectra]) -> Evaluated:
        found = list(blocks)
        sound = np.concatenate(list(self._task.stft.samples(found)))[self._evaluated]
        spectrogram = np.concatenate([self._task.normalize(block) for block in found])
        squares = np.square(spectrogram[self._first :] - self._y[self._first :], dtype=np.float64)
        self._jumps[name] = jumps = jumps_in_window(spectrogram, self._window, self._first)
        si_sdr, sdr = _ratios(self._stem, sound)
        row = {
            "si_sdr_db": si_sdr,
            "improvement_db": None,
            "sdr_db": sdr,
            "mse": float(squares.mean()),
            "border_jump": border_jump(jumps),
        }
        return Evaluated(row, sound)

    def references(self) -> dict[str, Samples]:
        return {"stem": self._stem}

    def excerpt(self, model: Evaluated) -> Excerpt:
        hop, evaluated = self._task.hop, self._y[self._first :]
        frames = loudest_vectors(evaluated, slice(0, len(evaluated)), round(SECONDS * self._rate / hop))
        where = slice(frames.start * hop, frames.stop * hop)
        sounds = {"input": self._mixture[where], "target": self._stem[where], "output": model.sound[where]}
        return Excerpt(self._rate, self._start + where.start, sounds)

    def finish(self, rows: list[Row]) -> list[Row]:
        mixed = next(row["si_sdr_db"] for row in rows if row["name"] == "mixture")
        for row in rows:
            if row["si_sdr_db"] is not None and mixed is not None:
                row["improvement_db"] = row["si_sdr_db"] - mixed
        return rows

    def lines(self) -> list[Lines]:
        return [
            Lines(
                "borders",
                "Borders of windows",
                "change of the spectrum by place in a window",
                "How far the spectrum moves from one frame to the next, by the frame's place in its window. The "
                "stateless row begins every window with an empty state, and so it jumps at every border; the model "
                "carries its state.",
                "frame in its window (0: the border)",
                "mean change from the frame before",
                {name: self._jumps[name] for name in PLOTTED},
            )
        ]


def mixture_and_stem(pair: Pair, start: int, count: int) -> tuple[Samples, Samples]:
    """Float samples of both recordings from sample `start` of the pair on, with the delay cut out."""
    assert pair.target is not None, "the task wants a target"
    starts = pair.input_start + start, pair.target_start + start
    return pair.input.read(pair.rate, starts[0], count), pair.target.read(pair.rate, starts[1], count)


def stateless(network: Network, x: Magnitudes, window: int, side_by_side: int = SIDE_BY_SIDE) -> Magnitudes:
    """Cut a recording into windows and begin each of them with an empty state, as Keras' ``predict`` does.

    Parameters
    ----------
    network
        A network of spectrograms.
    x : ndarray of float32, shape (n, bins)
    window
        Frames in a window.
    side_by_side
        Windows that are run at once: what Keras calls the batch size.

    Returns
    -------
    ndarray of float32, shape (n, bins)
    """
    windows = np.pad(x, ((0, -len(x) % window), (0, 0))).reshape(-1, window, x.shape[1])
    found = [network.run_batch(windows[at : at + side_by_side]) for at in range(0, len(windows), side_by_side)]
    return np.concatenate(found).reshape(-1, x.shape[1])[: len(x)]


def jumps_in_window(spectrogram: npt.NDArray[np.floating], window: int, first: int = 0) -> npt.NDArray[np.float64]:
    """Mean absolute change from the frame before, by a frame's place in its window; frames before `first` left out.

    Returns
    -------
    ndarray of float64, shape (window,)
        The first is that at the borders.
    """
    change = np.abs(np.diff(spectrogram[first:], axis=0)).mean(axis=1, dtype=np.float64)
    places = np.arange(first + 1, len(spectrogram)) % window
    counts = np.bincount(places, minlength=window)
    return np.bincount(places, change, minlength=window) / np.maximum(counts, 1)


def border_jump(jumps: npt.NDArray[np.float64]) -> float | None:
    """The jump at the borders as a multiple of the mean of the others; None where nothing moves."""
    others = float(jumps[1:].mean()) if jumps.size > 1 else 0.0
    return float(jumps[0]) / others if others else None


def _masked(power: int, mixture: Spectra, stem: Spectra, at: int) -> Spectra:
    """Apply a mask that knows the stem."""
    wanted, rest = np.abs(stem) ** power, np.abs(mixture - stem) ** power
    return np.asarray(mixture * wanted / (wanted + rest + SMALLEST))


def _ratios(stem: Samples, sound: Samples) -> tuple[float | None, float | None]:
    """SI-SDR and SDR in dB; None where silence leaves no ratio."""
    # The package's own choice between NumPy and PyTorch fails where there is no PyTorch (0.1.4).
    from fast_bss_eval import numpy as bss_eval

    if not np.any(stem) or not np.any(sound):
        return None, None
    both = np.asarray(stem, np.float64)[None], np.asarray(sound, np.float64)[None]
    si_sdr, sdr = (float(ratio(*both)[0]) for ratio in (bss_eval.si_sdr, bss_eval.sdr))
    return (si_sdr if math.isfinite(si_sdr) else None), (sdr if math.isfinite(sdr) else None)
