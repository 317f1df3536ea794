"""Compare several models, also those in files of other programs, with the target on the same samples."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import LONG_WARM_UP, Network
from dl4j_bridge.jobs import adopt
from dl4j_bridge.jobs.compare import PLAIN, Report, check_kind, check_outputs, compare, pair_of, write_wavs
from dl4j_bridge.jobs.process import process_samples
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.exports.onnx import OnnxNetwork
from dl4j_bridge.model.info import ModelInfo, PairInfo
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.settings.commands import AdoptSettings, CompareSettings, ProcessSettings
from dl4j_bridge.settings.training import MAX_RATE, TrainSettings
from dl4j_bridge.signal import alignment, metrics, pairs
from dl4j_bridge.signal.recordings import Recording, channel_if_there, open_recording, sha256
from dl4j_bridge.tasks import columns, registry
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.comparison import ComparisonResult, Row, error_of
from dl4j_bridge.tasks.excerpts import affordable_steps, loudest_vectors
from dl4j_bridge.tasks.shown import Chart, Excerpt
from dl4j_bridge.untrusted import files

Floats = npt.NDArray[np.floating]

# Samples that are processed at a time, and after which progress is reported.
CHUNK = 1 << 14
# Maximum size of an ONNX file in bytes.
LARGEST_ONNX = 1 << 30
# Models that a report plays beside the best one: with input, target and a baseline, the keys 1 to 9.
MOST_OTHERS = 5
CHART = Chart(
    ("snr_db", "stft"),
    "Model against model",
    "signal-to-noise ratios and spectral distances",
    "The output of each model and baseline for the same samples. copy is the input itself.",
)


@dataclass(frozen=True)
class _Rival:
    """A model to compare: `parameters` and `delay` (in samples at its rate) are None if its file stores none.

    `trained` is the pair of its training that has the same recordings.
    """

    name: str
    model: Model
    parameters: int | None
    delay: int | None
    trained: PairInfo | None = None
    notes: list[str] = field(default_factory=list)


def compare_models(
    models: Sequence[Path],
    source: Path,
    target: Path | None,
    settings: CompareSettings = PLAIN,
    report: Report = lambda done, total: None,
) -> ComparisonResult:
    """Evaluate models on the same samples, at the rate of the recordings.

    Each one processes the input as `process` does, and its output is compared with the target. If a model was trained
    with the recordings, only their held-out test part counts. Baselines are those that were fitted when the first model
    of this package was trained.

    Parameters
    ----------
    models
        Run folders, model zips, ``.nam`` files of the architecture LSTM, and ``.onnx`` files that `export` wrote.
    source, target
        Recordings; no target for models that predict the next sample.
    settings, report
        As for `compare`.

    Raises
    ------
    InputError
        A model, a recording or a setting cannot be used, or the models do not learn the same kind of thing.
    """
    if len(models) == 1 and not _is_foreign(models[0]):
        return compare(models[0], source, target, settings, report)
    if settings.pytorch:
        raise InputError("--pytorch", "with several models or another program's", "wanted one model of this package")
    settings.check()
    check_outputs(settings, [source, *([target] if target else []), *models])
    names = _names(models)
    if target is None:
        return _next_samples(models, names, source, settings)
    hashes = sha256(source), sha256(target)
    rivals = [_rival(path, name, hashes) for path, name in zip(models, names, strict=True)]
    for path, rival in zip(models, rivals, strict=True):
        check_kind(path, rival.model.info, target)
    channel = rivals[0].model.info.settings.data.channel
    x, y = (open_recording(path, channel_if_there(path, channel)) for path in (source, target))
    return _evaluated(rivals, x, y, settings, report)


def _is_foreign(model: Path) -> bool:
    return model.suffix.lower() in _READERS


def _names(models: Sequence[Path]) -> list[str]:
    """Short names that tell the models apart."""
    if len({path.resolve() for path in models}) < len(models):
        raise InputError("--model", "the same one twice", "wanted different models")
    short = [path.name for path in models]
    return short if len(set(short)) == len(short) else [str(path) for path in models]


# ---- opening


def _rival(path: Path, name: str, hashes: tuple[str, str]) -> _Rival:
    if _is_foreign(path):
        return _READERS[path.suffix.lower()](path, name)
    opened = model_zip.open_model(path)
    trained = opened.info.pair_of(hashes)
    info = replace(opened.info, delay=(trained or opened.info).delay)
    model = replace(opened.load(), info=info)
    return _Rival(name, model, model.network.parameter_count, None if info.origin else info.delay, trained)


def _of_nam(path: Path, name: str) -> _Rival:
    found = adopt.read(path, AdoptSettings())
    return _Rival(name, found.model, found.model.network.parameter_count, None, notes=found.notes)


def _of_onnx(path: Path, name: str) -> _Rival:
    content = files.read(path, LARGEST_ONNX, "wanted a model")
    try:
        network = OnnxNetwork(content, path)
        stored = {key: _value(text) for key, text in network.properties.items()}
        task, rate = registry.from_dict(stored), int(stored["rate"])
        if not 1 <= rate <= MAX_RATE or network.width != (
            None if task.interface.input == "one-hot" else task.interface.inputs
        ):
            raise ValueError(f"{network.width} inputs at {rate} Hz")
        info = ModelInfo(task, rate, network.hidden, (), TrainSettings(), int(stored["delay"]))
        # Files of earlier versions have no count.
        parameters = int(stored["parameters"]) if "parameters" in stored else None
        if parameters is not None and not 1 <= parameters <= LARGEST_ONNX:
            raise ValueError(f"{parameters} parameters")
    except (ValueError, KeyError, TypeError, OverflowError) as e:
        wanted = "wanted a file that export --format onnx wrote"
        raise InputError(path, f"not usable ({type(e).__name__}: {str(e)[:200]})", wanted) from None
    return _Rival(name, Model(cast(Network, network), info), parameters, info.delay)


def _value(text: str) -> Any:
    """A property of an ONNX file: JSON, or else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


_READERS: dict[str, Callable[[Path, str], _Rival]] = {".nam": _of_nam, ".onnx": _of_onnx}


# ---- evaluating


def _evaluated(
    rivals: list[_Rival], source: Recording, target: Recording, settings: CompareSettings, report: Report
) -> ComparisonResult:
    rate = source.rate
    x, y = source.read(rate), target.read(rate)
    estimated = pairs.estimate(source, target, rate)
    lag = estimated.samples if estimated.confidence >= alignment.LOW_CONFIDENCE else 0
    begin, part = _start(rivals, rate)
    end = min(x.size, y.size)
    if end - begin < 2:
        raise InputError(source.path, f"{end} samples, {max(end - begin, 0)} to evaluate", "wanted a longer recording")
    # Samples to listen to; of a short held-out part also what comes before it.
    length = affordable_steps(max(rival.parameters or 1 for rival in rivals), rate)
    heard = max(min(begin, end - length), 0)
    wanted, notes = y[heard:end], [*source.notes, *target.notes]
    rows: list[Row] = []
    outputs: dict[str, Floats] = {}

    def evaluated(sound: Floats) -> Floats:
        return sound[begin - heard :]

    def add(name: str, output: Floats, parameters: int | None, speed: float | None = None) -> None:
        y, found = evaluated(wanted), evaluated(output)
        error = metrics.esr(y, found)
        measured = {"esr": error, "snr_db": metrics.snr_db(error), "stft": metrics.stft_distance(y, found)}
        rows.append({"name": name, **measured, "parameters": parameters, "samples_per_second": speed})
        outputs[name] = output

    for number, rival in enumerate(rivals):
        info = rival.model.info
        notes += rival.notes
        if info.rate != rate:
            notes.append(f"{rival.name}: works at {info.rate} Hz, evaluated at the recordings' {rate} Hz")
        warm_up = round((LONG_WARM_UP * info.task.hop + abs(info.delay)) * rate / info.rate)
        first = max(heard - warm_up, 0)

        def report_all(done: int, total: int, number: int = number) -> None:
            report(number * total + done, len(rivals) * total)

        began = time.perf_counter()
        made: Floats = process_samples(rival.model, x[first:end], rate, ProcessSettings(chunk=CHUNK), report_all)
        speed = made.size / (time.perf_counter() - began)
        if rival.delay is None:
            found = alignment.estimate_delay(made, y[first:end], rate, causal=False)
            late = found.peak if found.confidence >= alignment.LOW_CONFIDENCE else lag
            made = _delayed(made, late, made.size)
            moved = columns.count(late, "sample")
            notes += (
                [f"{rival.name}: stores no delay; its output was delayed by {moved} to fit the target"] if late else []
            )
        add(rival.name, made[heard - first :], rival.parameters, speed)
    best = min(rows, key=error_of)["name"]
    # The input with the delay of the recordings, as `compare` has it.
    add(Copy.name, _delayed(x, lag, end)[heard:end], 0)
    baselines = _baselines(rivals, source, target, heard, end)
    for name, (output, parameters) in baselines.items():
        add(name, output, parameters)
    if len(rivals) > 1:
        notes.append(f"{best} has the smallest ESR; a report plots its output")
    if settings.wavs:
        sounds = {"input": x[heard:end], "target": wanted} | outputs
        here = {name.replace("/", "-"): evaluated(sound) for name, sound in sounds.items()}
        write_wavs(settings.wavs, here, rate, "FLOAT")
    others = {f"Output of {rival.name}": outputs[rival.name] for rival in rivals if rival.name != best}
    others = dict(list(others.items())[:MOST_OTHERS])
    if baselines:
        closest = min((row for row in rows if row["name"] in baselines), key=error_of)["name"]
        others[f"Best baseline ({closest})"] = outputs[closest]
    shown = loudest_vectors(wanted[:, None], slice(0, wanted.size), min(length, wanted.size))
    sounds = {"input": x[heard:end], "target": wanted, "output": outputs[best]}
    excerpt = Excerpt(
        rate,
        heard + shown.start,
        {name: sound[shown].astype(float) for name, sound in sounds.items()},
        others={name: sound[shown].astype(float) for name, sound in others.items()},
        trained=max(begin - heard - shown.start, 0),
    )
    about = {rival.name: {"task": rival.model.info.task.describe(), "rate": rival.model.info.rate} for rival in rivals}
    return ComparisonResult(
        rows,
        part,
        end - begin,
        list(dict.fromkeys(notes)),
        excerpt,
        CHART,
        rate,
        {"models": about},
        graded=True,
        models=len(rivals),
    )


def _baselines(
    rivals: list[_Rival], source: Recording, target: Recording, start: int, end: int
) -> dict[str, tuple[Floats, int]]:
    """Outputs for the samples start..end-1, and numbers of parameters, of the baselines that a model file holds.

    They are those of the first model of this package at the rate of the recordings; it was fitted with them.
    """
    rival = next((r for r in rivals if r.model.baselines and r.model.info.rate == source.rate), None)
    if rival is None:
        return {}
    info, fitted = rival.model.info, rival.model.baselines
    pair, task = pair_of(info, source.path, target.path, rival.trained), info.task
    signals, hop = task.signals(pair), task.hop
    steps = slice(max(start - pair.target_start, 0) // hop, min((end - pair.target_start) // hop, len(signals[1])))
    parameters = {baseline.name: baseline.parameters for baseline in task.fitted_baselines(fitted)}
    sounds = task.baseline_sounds(pair, signals, fitted, steps)
    late = steps.start * hop + pair.target_start - start
    return {
        name: (_delayed(sound, late, end - start), parameters[name])
        for name, sound in sounds.items()
        if name != Copy.name
    }


def _start(rivals: list[_Rival], rate: int) -> tuple[int, str]:
    """First sample at `rate` that no model was trained or validated with, and the name of the part."""
    starts = [0]
    for rival in rivals:
        if rival.trained:
            begin = rival.trained.split["test"][0] + max(rival.trained.delay, 0)
            starts.append(-(-begin * rate // rival.model.info.rate))
    return max(starts), "test" if len(starts) > 1 else "all"


def _delayed(x: Floats, lag: int, size: int) -> Floats:
    """The first `size` samples of a recording that comes `lag` samples later."""
    found = np.zeros(size)
    kept = x[max(-lag, 0) :][: size - max(lag, 0)]
    found[max(lag, 0) : max(lag, 0) + kept.size] = kept
    return found


def _next_samples(
    models: Sequence[Path], names: list[str], source: Path, settings: CompareSettings
) -> ComparisonResult:
    """Models that predict what comes next, each with its own comparison; the baselines are those of the first."""
    one = replace(settings, wavs=None, plot=None, drift_seconds=0)
    results = [compare(path, source, None, one) for path in models]
    first = results[0]
    for path, result in zip(models, results, strict=True):
        if (result.part, result.samples, result.rate) != (first.part, first.samples, first.rate):
            found = f"evaluated on {result.samples} samples at {result.rate} Hz, and {models[0]} on {first.samples}"
            raise InputError(path, found, "wanted models with the same rate and recordings")
    rows = [result.rows[0] | {"name": name} for name, result in zip(names, results, strict=True)] + first.rows[1:]
    common = [name for name in first.rows[0] if all(name in row for row in rows)]
    return replace(first, rows=[{name: row[name] for name in common} for row in rows])
