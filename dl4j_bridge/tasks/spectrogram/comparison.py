"""A comparison of separated stems: the network, masks, and masks that know the stem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import WARM_UP, Network
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.signal.stft import Spectra
from dl4j_bridge.tasks.comparison import Comparison, Contender, Evaluated, Evaluator, Row, Samples
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

    def __init__(
        self, task: SpectrogramTask, pair: Pair, split: dict[str, tuple[int, int]] | None, fitted: Fitted
    ) -> None:
        self._task, self._rate, self._fitted = task, pair.rate, fitted
        # Frames of a window that begins with an empty state.
        self._window = window = fitted.settings.network.tbptt
        start, end = split["test"] if split else (0, pair.length // task.hop * task.hop)
        # Whole windows, so that the borders are where they are in the whole recording.
        before = -(-max(WARM_UP, task.window // task.hop) // window) * window * task.hop
        begin = max(start // (window * task.hop) * window * task.hop - before, 0)
        assert pair.target is not None, "the task wants a target"
        self._mixture = pair.input.read(pair.rate, pair.input_start + begin, end - begin)
        self._stem = pair.target.read(pair.rate, pair.target_start + begin, end - begin)
        self._x, self._y = (
            np.concatenate([task.normalize(s) for s in task.stft.spectra([sound])])[: (end - begin) // task.hop]
            for sound in (self._mixture, self._stem)
        )
        self._first = (start - begin) // task.hop
        self._jumps: list[npt.NDArray[np.float64]] = []
        # Samples that are made of evaluated frames alone.
        overlap = task.window - task.hop
        self._evaluated = slice(self._first * task.hop, max(len(self._x) * task.hop - overlap, 0))
        self.part = "test" if split else "all"
        self.samples = len(range(len(self._mixture))[self._evaluated])
        if self.samples < task.window:
            raise InputError(pair.input.path, "too short", "wanted a longer recording")

    def contenders(self) -> list[Contender]:
        ways: dict[str, Separate] = {
            "model": self._with_magnitudes(lambda: self._fitted.network.dense_stream().run(self._x)),
            "stateless": self._with_magnitudes(lambda: stateless(self._fitted.network, self._x, self._window)),
            "mixture": lambda mixture, stem, at: mixture,
        }
        for baseline in self._task.fitted_baselines(self._fitted.baselines):
            ways[baseline.name] = lambda mixture, stem, at, b=baseline: np.asarray(b.predict(mixture).values)  # type: ignore[misc]
        ways |= {"oracle-wiener": _with_ideal(2), "oracle-ratio": _with_ideal(1)}
        return [Contender(name, None, lambda way=way: self._separated(way)) for name, way in ways.items()]  # type: ignore[misc]

    def _with_magnitudes(self, run: Callable[[], Magnitudes]) -> Separate:
        found: list[Magnitudes] = []

        def separate(mixture: Spectra, stem: Spectra, at: int) -> Spectra:
            if not found:
                found.append(run())
            return self._task.separated(mixture, found[0][at : at + len(mixture)])

        return separate

    def _separated(self, separate: Separate) -> Iterator[Spectra]:
        stft, at = self._task.stft, 0
        for mixture, stem in zip(stft.spectra([self._mixture]), stft.spectra([self._stem]), strict=True):
            inside = slice(len(self._x) - at)
            found = separate(mixture[inside], stem[inside], at)
            at += len(found)
            yield found

    def evaluator(self) -> Evaluator:
        return Evaluator(self._evaluate, lambda block: len(block) * self._task.hop)

    def _evaluate(self, blocks: list[Spectra]) -> Evaluated:
        sound = np.concatenate(list(self._task.stft.samples(blocks)))[self._evaluated]
        spectrogram = np.concatenate([self._task.normalize(block) for block in blocks])
        squares = np.square(spectrogram[self._first :] - self._y[self._first :], dtype=np.float64)
        jumps = jumps_in_window(spectrogram, self._window, self._first)
        self._jumps.append(jumps)
        si_sdr, sdr = _ratios(self._stem[self._evaluated], sound)
        row = {
            "si_sdr_db": si_sdr,
            "improvement_db": None,
            "sdr_db": sdr,
            "mse": float(squares.mean()),
            "border_jump": border_jump(jumps),
        }
        return Evaluated(row, sound)

    def references(self) -> dict[str, Samples]:
        return {"stem": self._stem[self._evaluated]}

    def excerpt(self, model: Evaluated) -> Excerpt:
        hop = self._task.hop
        evaluated = self._y[self._first :]
        frames = loudest_vectors(evaluated, slice(0, len(evaluated)), round(SECONDS * self._rate / hop))
        where = slice(frames.start * hop, frames.stop * hop)
        mixture, stem = (sound[self._evaluated] for sound in (self._mixture, self._stem))
        sounds = {"input": mixture[where], "target": stem[where], "output": model.sound[where]}
        return Excerpt(self._rate, where.start, sounds)

    def finish(self, rows: list[Row]) -> list[Row]:
        mixed = next(row["si_sdr_db"] for row in rows if row["name"] == "mixture")
        for row in rows:
            both = row["si_sdr_db"] is not None and mixed is not None
            row["improvement_db"] = row["si_sdr_db"] - mixed if both else None
        self._names = [row["name"] for row in rows]
        return rows

    def lines(self) -> list[Lines]:
        jumps = dict(zip(self._names, self._jumps, strict=True))
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
                {name: jumps[name] for name in PLOTTED},
            )
        ]


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


def _with_ideal(power: int) -> Separate:
    """A mask that knows the stem."""

    def separate(mixture: Spectra, stem: Spectra, at: int) -> Spectra:
        wanted, rest = np.abs(stem) ** power, np.abs(mixture - stem) ** power
        return np.asarray(mixture * wanted / (wanted + rest + SMALLEST))

    return separate


def _ratios(stem: Samples, sound: Samples) -> tuple[float | None, float | None]:
    """SI-SDR and SDR in dB; None where silence leaves no ratio."""
    # The package's own choice between NumPy and PyTorch fails where there is no PyTorch (0.1.4).
    from fast_bss_eval import numpy as bss_eval

    if not np.any(stem) or not np.any(sound):
        return None, None
    both = np.asarray(stem, np.float64)[None], np.asarray(sound, np.float64)[None]
    found = (float(bss_eval.si_sdr(*both)[0]), float(bss_eval.sdr(*both)[0]))
    si_sdr, sdr = (value if math.isfinite(value) else None for value in found)
    return si_sdr, sdr
