"""Ties a model of spectrograms, a pair and the masks to judge it by together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import tasks
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import training
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.config import CompareSettings
from dl4j_bridge.signal import audio
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.signal.stft import Spectra
from dl4j_bridge.tasks.baselines.wiener import WIENER
from dl4j_bridge.tasks.spectrogram import Magnitudes, SpectrogramTask

Sound = npt.NDArray[np.floating]
# What one row makes of spectra of the mixture and of the stem, the first of which has the given number.
Separate = Callable[[Spectra, Spectra, int], Spectra]

# Windows from an empty state that are run at once; the number changes nothing.
SIDE_BY_SIDE = 64
# Below every magnitude that is heard: silence has no ratio.
SMALLEST = 1e-12


def compare(
    zip_path: Path,
    about: dict[str, Any],
    pair: Pair,
    trained: dict[str, Any] | None,
    settings: CompareSettings,
    report: Callable[[int, int], None],
    out: Path | None,
) -> dict[str, Any]:
    """Judge a model's stem, and that of masks, on the same samples.

    Parameters
    ----------
    zip_path, about
        The model and what its file says.
    pair
        Mixture and stem.
    trained
        What `about` says of this pair if the model was trained with it: then only its held-out part counts.
    settings, report, out
        As for `comparing.compare`.

    Returns
    -------
    dict
        As of `comparing.compare`, but for the rows: each ``name, si_sdr_db, improvement_db, sdr_db, mse, border_jump``.
        The first two are the ratio to what is no scaled copy of the stem, and by how much it is above the mixture's;
        ``sdr_db`` allows the stem a filter of 512 taps. ``border_jump`` is how far the spectrum jumps at the borders of
        windows, as a multiple of its usual jump.
    """
    task = tasks.from_dict(about)
    assert isinstance(task, SpectrogramTask)
    part = _part(task, about["settings"]["network"]["tbptt"], pair, trained)
    jvm.configure(threads=1)
    loaded = model_zip.load(zip_path)
    ways = _ways(part, loaded)
    sounds = {"stem": part.stem[part.judged], "mixture": part.mixture[part.judged]}
    rows, jumps = [], {}
    for name, separate in ways.items():
        row, sounds[name], jumps[name] = _judged(part, name, separate)
        rows.append(row)
        report(len(rows) * part.size, len(ways) * part.size)
    mixed = next(row["si_sdr_db"] for row in rows if row["name"] == "mixture")
    for row in rows:
        both = row["si_sdr_db"] is not None and mixed is not None
        row["improvement_db"] = row["si_sdr_db"] - mixed if both else None
    result = {
        "rows": rows,
        "part": "test" if trained else "all",
        "samples": part.size,
        "notes": list(pair.notes),
        **settings.written(out),
    }
    if settings.wavs:
        settings.wavs.mkdir(exist_ok=True)
        for name, sound in sounds.items():
            audio.write(settings.wavs / f"{name}.wav", [sound], part.rate, "PCM_16")
    if settings.plot or out:
        from dl4j_bridge.report import separation

        if settings.plot:
            separation.bars(settings.plot, rows)
        if out:
            heard = separation.excerpt_of(sounds, part.y[part.first :], task.hop, part.rate)
            separation.write(out, f"Comparison on {pair.input.path.name}", result, jumps, heard, about)
    return result


def stateless(network: Network, x: Magnitudes, window: int, side_by_side: int = SIDE_BY_SIDE) -> Magnitudes:
    """Cut a recording into windows and begin each of them with an empty state, as Keras' ``predict`` does.

    Parameters
    ----------
    network
        Of spectrograms.
    x : ndarray of float32, shape (n, bins)
    window
        Frames in a window.
    side_by_side
        Windows at once: what Keras calls the batch size.

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


@dataclass(frozen=True)
class _Part:
    """The judged stretch of a pair, with what the network hears before it.

    Attributes
    ----------
    window
        Frames of a window that begins with an empty state.
    mixture, stem
        Samples.
    x, y
        Their magnitudes.
    first
        First frame that is judged.
    """

    task: SpectrogramTask
    window: int
    rate: int
    mixture: Sound
    stem: Sound
    x: Magnitudes
    y: Magnitudes
    first: int

    @property
    def judged(self) -> slice:
        """Samples that judged frames alone make, all of them."""
        overlap = self.task.window - self.task.hop
        return slice(self.first * self.task.hop, max(len(self.x) * self.task.hop - overlap, 0))

    @property
    def size(self) -> int:
        return len(range(len(self.mixture))[self.judged])

    def spectra(self) -> Iterator[tuple[Spectra, Spectra]]:
        """Of mixture and stem, block by block."""
        stft = self.task.stft
        return zip(stft.spectra([self.mixture]), stft.spectra([self.stem]), strict=True)


def _part(task: SpectrogramTask, window: int, pair: Pair, trained: dict[str, Any] | None) -> _Part:
    start, end = trained["split"]["test"] if trained else (0, pair.length // task.hop * task.hop)
    # Whole windows, so that the borders are where they are in the whole recording.
    before = -(-max(training.WARM_UP, task.window // task.hop) // window) * window * task.hop
    begin = max(start // (window * task.hop) * window * task.hop - before, 0)
    assert pair.target is not None, "comparing.compare has seen to that"
    mixture = pair.input.read(pair.rate, pair.input_start + begin, end - begin)
    stem = pair.target.read(pair.rate, pair.target_start + begin, end - begin)
    x, y = (
        np.concatenate([task.shrink(s) for s in task.stft.spectra([sound])])[: (end - begin) // task.hop]
        for sound in (mixture, stem)
    )
    part = _Part(task, window, pair.rate, mixture, stem, x, y, (start - begin) // task.hop)
    if part.size < task.window:
        raise InputError(pair.input.path, "too short", "wanted a longer recording")
    return part


def _ways(part: _Part, loaded: model_zip.Model) -> dict[str, Separate]:
    """How each row makes the stem; the oracles are told the stem, and no mask can do much better."""
    task, network = part.task, loaded.network
    of_model = network.dense_stream().run(part.x)
    of_windows = stateless(network, part.x, part.window)

    def with_magnitudes(magnitudes: Magnitudes) -> Separate:
        return lambda mixture, stem, at: task.heard(mixture, magnitudes[at : at + len(mixture)])

    def with_ideal(power: int) -> Separate:
        def separate(mixture: Spectra, stem: Spectra, at: int) -> Spectra:
            wanted, rest = np.abs(stem) ** power, np.abs(mixture - stem) ** power
            return np.asarray(mixture * wanted / (wanted + rest + SMALLEST))

        return separate

    ways: dict[str, Separate] = {
        "model": with_magnitudes(of_model),
        "stateless": with_magnitudes(of_windows),
        "mixture": lambda mixture, stem, at: mixture,
    }
    if WIENER in loaded.baselines:
        ways["wiener"] = lambda mixture, stem, at: np.asarray(mixture * loaded.baselines[WIENER])
    return ways | {"oracle-wiener": with_ideal(2), "oracle-ratio": with_ideal(1)}


def _judged(part: _Part, name: str, separate: Separate) -> tuple[dict[str, Any], Sound, npt.NDArray[np.float64]]:
    """A row, its sound, and how far its spectrum jumps at each place in a window."""
    task = part.task
    magnitudes = []

    def separated() -> Iterator[Spectra]:
        at = 0
        for mixture, stem in part.spectra():
            inside = slice(len(part.x) - at)
            found = separate(mixture[inside], stem[inside], at)
            at += len(found)
            magnitudes.append(task.shrink(found))
            yield found

    sound = np.concatenate(list(task.stft.samples(separated())))[part.judged]
    spectrogram = np.concatenate(magnitudes)
    squares = np.square(spectrogram[part.first :] - part.y[part.first :], dtype=np.float64)
    jumps = jumps_in_window(spectrogram, part.window, part.first)
    si_sdr, sdr = _ratios(part.stem[part.judged], sound)
    row = {
        "name": name,
        "si_sdr_db": si_sdr,
        "improvement_db": None,
        "sdr_db": sdr,
        "mse": float(squares.mean()),
        "border_jump": border_jump(jumps),
    }
    return row, sound, jumps


def _ratios(stem: Sound, sound: Sound) -> tuple[float | None, float | None]:
    """SI-SDR and SDR in dB; None where silence leaves no ratio."""
    # The package's own choice between NumPy and PyTorch fails where there is no PyTorch (0.1.4).
    from fast_bss_eval import numpy as bss_eval

    if not np.any(stem) or not np.any(sound):
        return None, None
    both = np.asarray(stem, np.float64)[None], np.asarray(sound, np.float64)[None]
    found = (float(bss_eval.si_sdr(*both)[0]), float(bss_eval.sdr(*both)[0]))
    si_sdr, sdr = (value if math.isfinite(value) else None for value in found)
    return si_sdr, sdr
