"""Evaluate a model and what it is compared with on the same samples."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge import atomic_files
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.recordings.noise_floor import best_esr
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.held_out import excerpt_of, with_best_baseline
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.info import ModelInfo, PairInfo
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.object_store import is_remote
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.settings.training import DataSettings
from dl4j_bridge.signal import audio_files, pairs
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.signal.recordings import channel_if_there, sha256
from dl4j_bridge.tasks.comparison import Comparison, ComparisonResult, Contender, Evaluated, Row, Samples
from dl4j_bridge.tasks.excerpts import SECONDS
from dl4j_bridge.tasks.interface import Fitted
from dl4j_bridge.tasks.pytorch_twin import import_torch
from dl4j_bridge.tasks.shown import Excerpt

Report = Callable[[int, int], None]

# The table and nothing else.
PLAIN = CompareSettings()


def compare(
    model: Path,
    source: Path,
    target: Path | None,
    settings: CompareSettings = PLAIN,
    report: Report = lambda done, total: None,
) -> ComparisonResult:
    """Evaluate a model and the baselines on the same samples.

    On recordings that the model was trained with, only their held-out test part counts; on any other pair all of it.
    The baselines were fitted on the training part when the model was trained.

    Parameters
    ----------
    model
        Run folder or model zip.
    source, target
        Recordings; no target for a model that predicts the next sample.
    settings
        What to do beside the table; wavs are written here, `plot` is for the caller.
    report
        Called with the number of samples done and in all.

    Raises
    ------
    InputError
        The model, a recording or a setting cannot be used.
    """
    opened = model_zip.open_model(model)
    info = opened.info
    check_kind(model, info, target)
    trained = info.pair_of((sha256(source), sha256(target) if target else None))
    inputs = [opened.path, source, *([target] if target else [])]
    _check_settings(settings, info, source, trained is not None)
    check_outputs(settings, inputs)
    pair = pair_of(info, source, target, trained)
    found = evaluate(opened.load(), pair, trained, settings, report)
    data = replace(info.settings.data, rate=pair.rate, channel=pair.input.channel)
    return with_best_esr(found, Case(source, target, replace(info.settings, data=data), pair.delay))


def evaluate(
    model: Model,
    pair: Pair,
    trained: PairInfo | None,
    settings: CompareSettings,
    report: Report = lambda done, total: None,
) -> ComparisonResult:
    """Do what `compare` does, with a loaded model and open recordings.

    Parameters
    ----------
    model, pair
        The recordings are at the model's rate, with the delay of the training.
    trained
        The pair of the training that has the same recordings, if there is one.
    settings, report
        As for `compare`.
    """
    info = model.info
    fitted = Fitted(model.network, model.baselines, info.settings)
    comparison = info.task.comparison(pair, trained.split if trained else None, fitted)
    contenders = comparison.contenders()
    if settings.pytorch:
        contenders.append(comparison.twin(min(settings.pytorch_steps, info.steps or settings.pytorch_steps)))
    rows, model_output, sounds = _evaluated(comparison, contenders, report, keep=settings.wavs is not None)
    drift = comparison.drift(settings.drift_seconds) if settings.drift_seconds else None
    target = comparison.references().get("target") if pair.target else None
    if settings.wavs:
        sounds = comparison.references() | sounds | ({"free-running": drift.sound} if drift else {})
        write_wavs(settings.wavs, sounds, pair.rate, comparison.wav_subtype)
    return ComparisonResult(
        comparison.finish(rows),
        comparison.part,
        comparison.samples,
        list(pair.notes),
        _excerpt(model, pair, trained, comparison.excerpt(model_output)),
        comparison.chart,
        pair.rate,
        {"settings": info.settings.as_dict(), "versions": info.versions},
        comparison.lines(),
        drift.facts if drift else None,
        drift.sound if drift else None,
        info.task.graded,
        None if target is None else float(np.mean(np.square(target, dtype=np.float64))),
    )


def with_best_esr(found: ComparisonResult, case: Case) -> ComparisonResult:
    """The same with the best possible ESR of the pair, where the rows have one and something bounds it."""
    if found.rows[0].get("esr") is None or not found.target_power:
        return found
    best = best_esr(case)
    if best is None:
        return found
    return replace(found, best_esr=best.on(found.target_power, float(np.mean(case.y**2))).as_dict())


def _excerpt(model: Model, pair: Pair, trained: PairInfo | None, found: Excerpt) -> Excerpt:
    """What there is to listen to: more than the evaluated part if that is short, and the best baseline."""
    info = model.info
    if info.predicts != "target":
        return found
    signals = info.task.signals(pair)
    if trained and found.size < SECONDS * pair.rate:
        found = excerpt_of(info.task, model.network, pair, signals, pair.rate)
    return with_best_baseline(found, info.task, pair, signals, model.baselines)


def write_wavs(folder: Path, sounds: dict[str, Samples], rate: int, subtype: str) -> None:
    """Write each sound by its name into a folder."""
    folder.mkdir(exist_ok=True)
    for name, sound in sounds.items():
        audio_files.write(folder / f"{name}.wav", [sound], rate, subtype)


def check_kind(model: Path, info: ModelInfo, target: Path | None) -> None:
    """Refuse a model with a target for recordings without one, and the reverse."""
    if (info.predicts == "next") != (target is None):
        wanted = "no --target: it predicts the next sample" if target else "a --target: it turns an input into a target"
        raise InputError(model, "a model of another kind than the call", f"wanted {wanted}")


def recordings_of_training(model: Path, info: ModelInfo) -> tuple[Path, Path | None]:
    """The first pair that a model was trained with.

    Raises
    ------
    InputError
        The model was adopted, so there is none.
    """
    if not info.pairs:
        raise InputError(model, "adopted, so no recordings are known", "wanted compare(input, target)")
    return info.pairs[0].paths


def report_folder(model: Path) -> Path:
    """The folder of a report that nobody named: ``compare``, beside the model file if that is on this machine."""
    return Path("compare") if is_remote(model) else model_zip.resolve(model).parent / "compare"


def _evaluated(
    comparison: Comparison, contenders: list[Contender], report: Report, keep: bool
) -> tuple[list[Row], Evaluated, dict[str, Samples]]:
    """Rows of all contenders, the output of the model, and if wanted the sounds of all by name."""
    rows: list[Row] = []
    sounds: dict[str, Samples] = {}
    samples, total = comparison.samples, len(contenders) * comparison.samples

    def timed(contender: Contender, seconds: list[float]) -> Iterator[Any]:
        """Yield a contender's blocks, and append the duration of each to `seconds`."""
        done, began = len(rows) * samples, time.perf_counter()
        # Some contenders begin before the evaluated part.
        most = done + samples
        for block in contender.run():
            seconds.append(time.perf_counter() - began)
            yield block
            done += comparison.samples_in(block)
            report(min(done, most), total)
            began = time.perf_counter()
        seconds.append(time.perf_counter() - began)

    for contender in contenders:
        seconds: list[float] = []
        found = comparison.evaluate(contender.name, timed(contender, seconds))
        if not rows:
            model = found
        if keep:
            sounds[contender.name] = found.sound
        row = {"name": contender.name, **found.metrics}
        if comparison.has_speed:
            speed = None if contender.parameters is None else samples / sum(seconds)
            row |= {"parameters": contender.parameters, "samples_per_second": speed}
        rows.append(row)
    return rows, model, sounds


def pair_of(info: ModelInfo, source: Path, target: Path | None, trained: PairInfo | None) -> Pair:
    """Open the recordings with the rate, the channel and the delay of the training, and its length for its own."""
    channel = info.settings.data.channel
    for path in (source, target):
        channel = channel_if_there(path, channel) if path else channel
    delay = (trained or info).delay
    pair = pairs.open_pair(source, target, DataSettings(info.rate, channel, align=str(delay)))
    return replace(pair, length=trained.length) if trained else pair


def _check_settings(settings: CompareSettings, info: ModelInfo, source: Path, is_of_training: bool) -> None:
    """Refuse what cannot be done or written, before anything is computed."""
    settings.check()
    if settings.pytorch:
        if not info.task.has_twin:
            raise InputError("--pytorch", f"with a model of {info.task.describe()}", "wanted one with a PyTorch twin")
        if not is_of_training:
            wanted = "wanted those of its training: the twin learns from their training part"
            raise InputError(source, "with --pytorch, but not a recording of the model's training", wanted)
        import_torch()


def check_outputs(settings: CompareSettings, inputs: list[Path]) -> None:
    """Refuse to replace files unasked; the names of the wavs are known only once the rows are."""
    if settings.wavs:
        atomic_files.check_folder(settings.wavs)
        for wav in settings.wavs.glob("*.wav"):
            atomic_files.check_output(wav, settings.overwrite, inputs)
    if settings.plot:
        if settings.plot.suffix != ".png":
            raise InputError(settings.plot, f"ending {settings.plot.suffix or 'missing'}", "wanted .png")
        atomic_files.check_output(settings.plot, settings.overwrite, inputs)
