"""Ties a model of samples as numbers, a pair and the baselines together: is the network worth it, and are 16 bits?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import training
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.config import CompareSettings, TrainSettings
from dl4j_bridge.signal import audio, metrics
from dl4j_bridge.signal.codec import LINEAR, MULAW
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.tasks import baselines
from dl4j_bridge.tasks.baselines import numbers
from dl4j_bridge.tasks.baselines.gaussian import GaussianBaseline
from dl4j_bridge.tasks.baselines.pytorch_regression import PytorchRegression
from dl4j_bridge.tasks.frames import FramesTask, Vectors

Floats = npt.NDArray[np.float64]

# Of a wav of a row: what a row has below 16 bits is not to be rounded away.
SUBTYPE = "PCM_24"
# Time steps between two reports of progress.
BLOCK = 1 << 14


def compare(
    zip_path: Path,
    about: dict[str, Any],
    pair: Pair,
    trained: dict[str, Any] | None,
    settings: CompareSettings,
    report: Callable[[int, int], None],
    out: Path | None,
) -> dict[str, Any]:
    """Do what `comparing.compare` does, for a model that gives numbers.

    Parameters
    ----------
    zip_path
        The model.
    about
        What it says of itself.
    pair
        The recordings, opened with its rate and delay.
    trained
        What `about` says of these recordings, if the model was trained with them.
    settings, report, out
        As for `comparing.compare`; all is checked.

    Returns
    -------
    dict
        As of `comparing.compare`, but ``rows`` are ``name, esr, snr_db, stft, parameters, samples_per_second``. The
        rows ``8-bit-mulaw`` and ``8-bit-linear`` are the target itself in 8 bits: no network of 8-bit samples can be
        better. They have no parameters and no speed.
    """
    part = _part(about, pair, trained)
    jvm.configure(threads=1)
    loaded = model_zip.load(zip_path)
    judge = _Judge(part, settings.wavs, report)
    fitted = _fitted(loaded.baselines)
    judge.rows_to_come = 4 + len(fitted) + settings.pytorch
    judge.row("model", loaded.network.parameter_count, lambda: _of_network(loaded.network, part, judge.progress))
    x = part.task.to_samples(part.x)
    begin, end = (at * part.task.hop for at in (part.start, part.end))
    judge.row("copy", 0, lambda: x[begin:end])
    for baseline in fitted:
        first = max(begin - baseline.memory, 0)
        judge.row(baseline.name, baseline.parameters, lambda b=baseline, f=first: b.values(x[f:end])[begin - f :])  # type: ignore[misc]
    for codec in (MULAW, LINEAR):
        judge.row(f"8-bit-{codec.name}", None, lambda c=codec: c.decode(c.encode(judge.target)))  # type: ignore[misc]
    if settings.pytorch:
        twin = _trained_twin(about, part, settings.pytorch_steps)
        heard = max(part.start - training.WARM_UP, 0)
        said = part.task.to_samples
        judge.row(twin.name, twin.parameters, lambda: said(twin.run(part.x[heard : part.end])[part.start - heard :]))
    result: dict[str, Any] = {
        "rows": judge.rows,
        "part": "test" if trained else "all",
        "samples": end - begin,
        "notes": list(part.pair.notes),
        **settings.written(out),
    }
    if settings.plot:
        from dl4j_bridge.report import plots

        plots.comparison(settings.plot, judge.rows)
    if out:
        from dl4j_bridge.report import comparison, excerpt

        where = slice(part.start, part.end)
        heard_there = excerpt.of_frames(loaded.network, part.task, part.x, part.y, where, part.rate)
        comparison.write(out, f"Comparison on {pair.input.path.name}", result, heard_there, about)
    return result


@dataclass(frozen=True)
class _Part:
    """The judged time steps start..end-1 of a pair, and those to learn and to validate with."""

    task: FramesTask
    pair: Pair
    rate: int
    x: Vectors
    y: Vectors
    start: int
    end: int


def _part(about: dict[str, Any], pair: Pair, trained: dict[str, Any] | None) -> _Part:
    task = FramesTask.from_dict(about)
    x, y = task.signals(pair)
    if not len(y):
        raise InputError(pair.input.path, f"{pair.length} samples", f"wanted {task.frame} or more: one frame")
    start, end = trained["split"]["test"] if trained else (0, len(y) * task.hop)
    return _Part(task, pair, about["rate"], x, y, start // task.hop, end // task.hop)


def _fitted(stored: model_zip.Arrays) -> list[GaussianBaseline]:
    """Baselines of the model file; those that an older version did not fit are left out."""
    found = []
    for baseline in numbers.unfitted():
        kept = baselines.kept(stored, baseline.name)
        if kept:
            baseline.restore(kept)
            found.append(baseline)
    return found


def _of_network(network: Network, part: _Part, progress: Callable[[int], None]) -> Floats:
    """What the network says of the judged part, having heard a little of what comes before."""
    stream = network.dense_stream()
    stream.run(part.x[max(part.start - training.WARM_UP, 0) : part.start])
    found = []
    for at in range(part.start, part.end, BLOCK):
        found.append(stream.run(part.x[at : min(at + BLOCK, part.end)]))
        progress(part.task.hop * (at + len(found[-1]) - part.start))
    return part.task.to_samples(np.concatenate(found))


def _trained_twin(about: dict[str, Any], part: _Part, steps: int) -> PytorchRegression:
    settings = TrainSettings.from_dict(about["settings"])
    twin = PytorchRegression(part.task, settings, min(steps, model_zip.steps_made(about) or steps))
    signals = part.x, part.y
    twin.fit(training.part(signals, "train"), training.part(signals, "valid"))
    return twin


class _Judge:
    """Turns what is said of the judged part into table rows, and into wavs where they are wanted."""

    def __init__(self, part: _Part, wavs: Path | None, report: Callable[[int, int], None]) -> None:
        self.rows: list[dict[str, Any]] = []
        self.rows_to_come = 1
        self.target = part.task.to_samples(part.y[part.start : part.end])
        self._rate, self._wavs, self._report = part.rate, wavs, report
        if wavs:
            wavs.mkdir(exist_ok=True)
            self._write("input", part.task.to_samples(part.x[part.start : part.end]))
            self._write("target", self.target)

    def progress(self, done: int) -> None:
        """Say how many samples of the present row are done."""
        self._report(len(self.rows) * self.target.size + done, self.rows_to_come * self.target.size)

    def row(self, name: str, parameters: int | None, say: Callable[[], Floats]) -> None:
        """Judge what `say` gives: float samples of the whole part, shape (n,)."""
        began = time.perf_counter()
        sound = say()
        seconds = time.perf_counter() - began
        esr = metrics.esr(self.target, sound)
        speed = None if parameters is None else sound.size / seconds
        self.rows.append(
            {
                "name": name,
                "esr": esr,
                "snr_db": metrics.snr_db(esr),
                "stft": metrics.stft_distance(self.target, sound),
                "parameters": parameters,
                "samples_per_second": speed,
            }
        )
        self.progress(0)
        if self._wavs:
            self._write(name, sound)

    def _write(self, name: str, sound: Floats) -> None:
        assert self._wavs is not None
        audio.write(self._wavs / f"{name}.wav", [sound], self._rate, SUBTYPE)
