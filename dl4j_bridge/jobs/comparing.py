"""Ties a model, a pair and the baselines together: is the network worth it?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import atomic_files
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.jobs import comparing_frames, comparing_next_frame, comparing_spectrogram, generation, training
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.config import CompareSettings, DataSettings, GenerateSettings, TrainSettings, validate_compare
from dl4j_bridge.signal import audio, metrics, pairs
from dl4j_bridge.signal.codec import DeEmphasis
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.tasks import baselines, drift
from dl4j_bridge.tasks.baselines import Baseline, Markov, Prediction
from dl4j_bridge.tasks.baselines.pytorch_lstm import PytorchLstm, import_torch
from dl4j_bridge.tasks.samples import SamplesTask

Indices = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.floating]
Row = dict[str, Any]

# The table and nothing else.
PLAIN = CompareSettings()


def compare(
    model: Path,
    source: Path,
    target: Path | None,
    settings: CompareSettings = PLAIN,
    report: Callable[[int, int], None] = lambda done, total: None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Judge a model and the baselines on the same samples.

    On the recordings that the model was trained with only their held-out test part counts; on any other pair all of
    it. The baselines were fitted on the training part when the model was trained.

    Parameters
    ----------
    model
        Run folder or model zip.
    source, target
        Recordings; no target for a model that predicts the next sample.
    settings
        What to do beside the table.
    report
        Called with the samples done and all samples.
    out
        Folder of ``report.html``, there or to be made; no report if not given.

    Returns
    -------
    dict
        ``rows`` (each ``name, bits, accuracy, esr, snr_db, stft, parameters, samples_per_second``; bits is None where
        there is no distribution), ``part`` (``test`` or ``all``), ``samples``, ``notes``, ``wavs``, ``plot`` and
        ``report`` (what was written, or None), and ``drift`` for a model that predicts the next sample: see
        `drift.measure`.
    """
    zip_path = model_zip.resolve(model)
    about = model_zip.read_about(zip_path)
    if (about["predicts"] == "next") != (target is None):
        wanted = "no --target: it predicts the next sample" if target else "a --target: it turns an input into a target"
        raise InputError(model, "a model of another kind than the call", f"wanted {wanted}")
    next_frame = (about["task"], about["predicts"]) == ("frames", "next")
    if settings.pytorch and (next_frame or about["task"] == "spectrogram"):
        of = "frames" if next_frame else "--task spectrogram"
        raise InputError("--pytorch", f"with a model of {of}", "wanted one of 8-bit samples")
    trained = _pair_of_training(about, source, target)
    _check_settings(settings, source, trained is not None)
    if out:
        atomic_files.check_folder(out)
    pair = _pair(about, source, target, trained)
    if next_frame:
        return comparing_next_frame.compare(zip_path, about, pair, settings, report, out)
    if about["task"] == "frames":
        return comparing_frames.compare(zip_path, about, pair, trained, settings, report, out)
    if about["task"] == "spectrogram":
        return comparing_spectrogram.compare(zip_path, about, pair, trained, settings, report, out)
    part = _part(about, pair, trained)
    jvm.configure(threads=1)
    loaded = model_zip.load(zip_path)
    judge = _Judge(part, settings.wavs, report)
    baseline_rows = list(fitted_when_trained(part.task, loaded.baselines))
    judge.rows_to_come = 1 + len(baseline_rows) + settings.pytorch
    stream = loaded.network.stream()
    sound, classes = judge.row("model", loaded.network.parameter_count, _of_model(stream, part))
    for name, baseline in baseline_rows:
        # What is imported on first use is not part of its speed.
        baseline.predict(part.x[:1])
        judge.row(name, baseline.parameters, _of_baseline(baseline, part))
    if settings.pytorch:
        twin = _trained_twin(about, part, settings.pytorch_steps)
        judge.row(twin.name, twin.parameters, _of_baseline(twin, part))
    result: dict[str, Any] = {
        "rows": judge.rows,
        "part": "test" if trained else "all",
        "samples": part.end - part.start,
        "notes": list(part.pair.notes),
        **settings.written(out),
    }
    if target is None and settings.drift_seconds:
        result["drift"] = _drift(stream, part, settings.drift_seconds, about)
    if settings.plot:
        from dl4j_bridge.report import plots

        plots.comparison(settings.plot, judge.rows)
    if out:
        from dl4j_bridge.report import comparison, excerpt

        heard = excerpt.of_output(part.task, part.x, part.y, slice(part.start, part.end), part.rate, sound, classes)
        comparison.write(out, f"Comparison on {source.name}", result, heard, about)
    return result


def report_folder(model: Path) -> Path:
    """Where `compare` writes its report if nothing else is said: ``compare``, beside the model file."""
    return model_zip.resolve(model).parent / "compare"


@dataclass(frozen=True)
class _Part:
    """The judged part start..end-1 of a pair, as classes, and the part to learn from."""

    task: SamplesTask
    pair: Pair
    rate: int
    x: Indices
    y: Indices
    start: int
    end: int
    learnt: slice


def _pair(about: dict[str, Any], source: Path, target: Path | None, trained: dict[str, Any] | None) -> Pair:
    """Open the recordings with the rate, the channel and the delay of the training."""
    channel = about["settings"]["data"]["channel"]
    for path in (source, target):
        channel = audio.channel_if_there(path, channel) if path else channel
    delay = (trained or about["pairs"][0])["delay"]
    return pairs.open_pair(source, target, DataSettings(about["rate"], channel, align=str(delay)))


def _part(about: dict[str, Any], pair: Pair, trained: dict[str, Any] | None) -> _Part:
    task = SamplesTask.from_dict(about)
    x, y = task.signals(pair)
    if trained:
        start, end = trained["split"]["test"]
        return _Part(task, pair, about["rate"], x, y, start, end, slice(*trained["split"]["train"]))
    if y.size < 2:
        raise InputError(pair.input.path, "too short", "wanted a longer recording")
    return _Part(task, pair, about["rate"], x, y, 0, y.size, slice(None))


def _pair_of_training(about: dict[str, Any], source: Path, target: Path | None) -> dict[str, Any] | None:
    """What the model file says of these recordings, if it was trained with them."""
    hashes = (audio.sha256(source), audio.sha256(target) if target else None)
    for stored in about["pairs"]:
        if (stored["input"]["sha256"], stored["target"]["sha256"] if stored["target"] else None) == hashes:
            return dict(stored)
    return None


def _check_settings(settings: CompareSettings, source: Path, is_of_training: bool) -> None:
    """Refuse what `compare` cannot do or could not write, before anything is computed."""
    validate_compare(settings)
    if settings.wavs:
        atomic_files.check_folder(settings.wavs)
    if settings.plot:
        if settings.plot.suffix != ".png":
            raise InputError(settings.plot, f"ending {settings.plot.suffix or 'missing'}", "wanted .png")
        atomic_files.check_writable(settings.plot)
    if settings.pytorch:
        if not is_of_training:
            wanted = "wanted those of its training: the twin learns from their training part"
            raise InputError(source, "with --pytorch, but not a recording of the model's training", wanted)
        import_torch()


def fitted_when_trained(task: SamplesTask, stored: model_zip.Arrays) -> Iterator[tuple[str, Baseline]]:
    """Baselines of a model file, with the names of their rows."""
    for kind in baselines.ALL:
        kept = baselines.kept(stored, kind.name)
        if not kept and kind is not baselines.Copy:
            continue  # the model was trained before there was this baseline
        rows: dict[str, Baseline] = {kind.name: kind(task.codec)}
        if kind is Markov and task.predicts == "next":
            rows = {f"markov-{order}": Markov(task.codec, order) for order in range(1, Markov.ORDER + 1)}
        for name, baseline in rows.items():
            baseline.restore(kept)
            yield name, baseline


def _of_model(stream: SampleStream, part: _Part) -> Iterator[Prediction]:
    values = part.task.codec.values
    for p in training.run_through(stream, part.x, part.start, part.end):
        # Summed row by row: a matrix product may round a row differently with the number of rows.
        yield Prediction((p * values).sum(axis=1), p.argmax(axis=1).astype(np.uint8), p)


def _of_baseline(baseline: Baseline, part: _Part) -> Iterator[Prediction]:
    for at in range(part.start, part.end, SampleStream.BLOCK):
        stop = min(at + SampleStream.BLOCK, part.end)
        said = baseline.predict(part.x[max(at - baseline.memory, 0) : stop])
        new = slice(said.values.size - (stop - at), None)
        p = said.probabilities
        yield Prediction(said.values[new], said.classes[new], None if p is None else p[new])


def _trained_twin(about: dict[str, Any], part: _Part, steps: int) -> PytorchLstm:
    settings = TrainSettings.from_dict(about["settings"])
    steps = min(steps, model_zip.steps_made(about) or steps)
    twin = PytorchLstm(part.task.codec, settings.network, settings.run, steps)
    twin.fit([(part.x[part.learnt], part.y[part.learnt])])
    return twin


def _drift(stream: SampleStream, part: _Part, seconds: float, about: dict[str, Any]) -> dict[str, Any]:
    """Generate behind the last second before the judged part, and follow what comes."""
    settings = GenerateSettings()
    stream.reset()
    stream.seed(settings.seed)
    stream.consume(np.append(part.task.silence, part.x[max(part.start - part.rate, 0) : part.start]).astype(np.uint8))
    drawn = generation.draw_classes(stream, about, max(round(seconds * part.rate), 1), settings)
    return drift.measure(part.task, np.concatenate(list(drawn)), part.x[part.learnt], part.rate)


class _Judge:
    """Turns predictions of the judged part into table rows, and into wavs where they are wanted."""

    def __init__(self, part: _Part, wavs: Path | None, report: Callable[[int, int], None]) -> None:
        self.rows: list[Row] = []
        self.rows_to_come = 1
        self._part, self._wavs, self._report = part, wavs, report
        here = slice(part.start, part.end)
        self._wanted = part.y[here]
        self._target = part.task.to_samples(self._wanted)
        if wavs:
            wavs.mkdir(exist_ok=True)
            self._write("input", part.task.to_samples(part.x[here]))
            self._write("target", self._target)

    def row(self, name: str, parameters: int, predictions: Iterator[Prediction]) -> tuple[Sound, Indices]:
        """Judge what one of them says; its sound and classes of the whole part come back, each of shape (n,)."""
        task, wanted = self._part.task, self._wanted
        nats: float | None = 0.0
        sounds, classes = [], []
        de_emphasis = DeEmphasis(task.pre_emphasis)
        at, seconds, began = 0, 0.0, time.perf_counter()
        for said in predictions:
            seconds += time.perf_counter() - began
            stop = at + said.values.size
            sounds.append(de_emphasis.push(said.values))
            classes.append(said.classes)
            if said.probabilities is None or nats is None:
                nats = None
            else:
                nats += metrics.cross_entropy_sum(said.probabilities, wanted[at:stop])
            at = stop
            self._report(len(self.rows) * wanted.size + at, self.rows_to_come * wanted.size)
            began = time.perf_counter()
        sound, said_classes = np.concatenate(sounds), np.concatenate(classes)
        self.rows.append(
            {
                "name": name,
                **task.score(sound, said_classes, nats, wanted),
                "stft": metrics.stft_distance(self._target, sound),
                "parameters": parameters,
                "samples_per_second": wanted.size / seconds,
            }
        )
        if self._wavs:
            self._write(name, sound)
        return sound, said_classes

    def _write(self, name: str, sound: Sound) -> None:
        assert self._wavs is not None
        # A mean of classes lies between the levels of 8 bits.
        audio.write(self._wavs / f"{name}.wav", [sound], self._part.rate, "PCM_16")
