"""Ties recordings, task and network together into a training run."""

from __future__ import annotations

import logging
import math
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import __version__, tasks
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import jars, jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.jobs import generation, pretraining
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.config import TrainSettings, option
from dl4j_bridge.signal import audio, augmentation, pairs
from dl4j_bridge.signal.pairs import Pair, Windows
from dl4j_bridge.tasks import baselines, exposure, steering
from dl4j_bridge.tasks.baselines import numbers
from dl4j_bridge.tasks.baselines.wiener import WIENER, wiener_gain
from dl4j_bridge.tasks.frames import FramesTask
from dl4j_bridge.tasks.interface import Metrics, Signal, Stretch, Task
from dl4j_bridge.tasks.samples import Probabilities, SamplesTask
from dl4j_bridge.tasks.spectrogram import SpectrogramTask

_log = logging.getLogger(__name__)

Indices = npt.NDArray[np.uint8]

# Time steps heard before a validated stretch, so that it does not start from an empty state.
WARM_UP = 200
# The last validation looks at more than those on the way; all of it, where that is less.
FINAL_VALIDATION_STEPS = 1 << 16
# A save takes as long as ten steps; a run that is killed loses at most so many seconds.
SAVE_SECONDS = 10.0
ON_CUDA = "--backend cuda: the fused layers run on the CPU; this run uses DL4J's stock layers and their gradient"
# Stretches of a validation, spread evenly.
VALIDATION_STRETCHES = 8


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step.

    Attributes
    ----------
    step, epochs, seconds
        Made so far, in all sessions of the run.
    values
        Of the segment just seen, before its update: ``bits`` and ``accuracy``, or what else the task learns by.
    samples_per_second
        Of this session, validations left out.
    fraction
        Of the way to the nearest limit, or None where only a plateau ends the run.
    seconds_left
        To that limit.
    valid
        The newest validation, if this step made one, else None.
    pretraining
        Whether the step is one before the first.
    """

    step: int
    epochs: float
    seconds: float
    values: dict[str, float]
    samples_per_second: float
    fraction: float | None
    seconds_left: float | None
    valid: Metrics | None
    pretraining: bool = False


@dataclass
class RunState:
    """What a resumed run must know, beside the network with its updater and carried state."""

    step: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    plateau_loss: float | None = None
    validations_since_best: int = 0
    validations_since_drop: int = 0
    learning_rate: float = 0.0


# Of runs that an older version began.
_RENAMED = {"best_bits": "best_loss", "plateau_bits": "plateau_loss"}


@dataclass
class Run:
    """A training run: made by `new_run` or `resumed_run`, driven by `train`."""

    folder: RunFolder
    settings: TrainSettings
    pairs: list[Pair]
    task: Task
    network: Network
    signals: list[Stretch]
    about: dict[str, Any]
    state: RunState = field(default_factory=RunState)
    # Of a resumed run: what it fitted when it began, since fitting again may round differently. Else `train` fits them.
    baselines: model_zip.Arrays = field(default_factory=dict)
    # Copies of the training parts, beside `signals`.
    augmented: list[Stretch] = field(default_factory=list)
    # There once a run has ended by itself.
    best: model_zip.Model | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know of the layers and the recordings, each thing once."""
        of_layers = [ON_CUDA] if self.settings.run.backend == "cuda" else []
        of_pairs = [note for pair in self.pairs for note in pair.notes]
        return of_layers + list(dict.fromkeys(of_pairs + augmentation.notes(self.pairs, self.settings.small_data)))


def new_run(inputs: list[Path], targets: list[Path], out: Path | None, settings: TrainSettings) -> Run:
    """Check everything, then make the run folder and the network.

    Raises
    ------
    InputError
        Before anything is written.
    """
    if targets and len(targets) != len(inputs):
        raise InputError("--target", f"{len(targets)} for {len(inputs)} --input", "wanted one for each, or none at all")
    if settings.run.backend == "cuda":
        settings = _for_cuda(settings)
    # The model file says what was used, whatever "auto" may mean one day.
    settings = replace(settings, network=settings.network.resolved())
    augmentation.check(settings.small_data)
    named_after = inputs[0]
    if out:
        RunFolder(out).check_free()
    if not targets:
        inputs = audio.recordings_of(inputs)
    opened = _open_pairs(inputs, targets, settings)
    task = tasks.choose(settings, opened)
    pretraining.check(settings.small_data, task)
    signals = [task.signals(pair) for pair in opened]
    augmented = _augmented(opened, signals, task, settings)
    _start_jvm(settings)
    network = Network.create(settings.network, task.interface)
    about = task.as_dict() | {
        "rate": opened[0].rate,
        "layers": [settings.network.hidden] * settings.network.layers,
        "pairs": [
            _describe_pair(pair, len(x) * task.hop, task.hop) for pair, (x, _) in zip(opened, signals, strict=True)
        ],
        "settings": settings.as_dict(),
        "versions": versions(),
    }
    folder = RunFolder.made(out, named_after)
    folder.write_run(about | {"status": "running"})
    folder.write_config(_options_of(settings, inputs, targets))
    state = RunState(learning_rate=settings.network.learning_rate)
    return Run(folder, settings, opened, task, network, signals, about, state, augmented=augmented)


def resumed_run(out: Path, options: dict[str, Any], inputs: list[Path], targets: list[Path]) -> Run:
    """Open a run folder and go on from its ``last.zip``.

    Parameters
    ----------
    out
        The run folder.
    options
        Limits to change: ``steps``, ``epochs``, ``minutes`` and the like.
    inputs, targets
        If not empty, they must be those that the run began with.

    Raises
    ------
    InputError
        Not a run, a recording is gone or is another one now, or an option that cannot change any more.
    """
    folder = RunFolder(out)
    folder.check_run()
    folder.acquire()
    stored = model_zip.read_about(folder.last)
    before = TrainSettings.from_dict(stored["settings"])
    settings = before.with_options(options)
    _check_resumable(before, settings)
    augmentation.check(settings.small_data)
    known_inputs = [Path(p["input"]["path"]) for p in stored["pairs"]]
    known_targets = [Path(p["target"]["path"]) for p in stored["pairs"] if p["target"]]
    if inputs and not known_targets:
        inputs = audio.recordings_of(inputs)
    for given, known in ((inputs, known_inputs), (targets, known_targets)):
        if given and [p.absolute() for p in given] != known:
            raise InputError(given[0], "not a recording of this run", f"wanted {known[0] if known else 'none'}")
    _start_jvm(settings)
    model = model_zip.load(folder.last)
    task = tasks.from_dict(stored)
    opened = []
    for pair, then in zip(_open_pairs(known_inputs, known_targets, settings), stored["pairs"], strict=True):
        _check_same(pair, then)
        # The delay of then, not a new estimate: the windows must be those of the run so far.
        opened.append(replace(pair, delay=then["delay"], length=then["length"]))
    signals = [task.signals(pair) for pair in opened]
    augmented = _augmented(opened, signals, task, settings)
    model.network.restore_state(model.state)
    state = RunState(**{_RENAMED.get(name, name): value for name, value in stored["run_state"].items()})
    about = {k: v for k, v in stored.items() if k != "run_state"} | {"settings": settings.as_dict()}
    folder.cut_log(state.step)
    folder.write_run(about | {"status": "running"})
    folder.write_config(_options_of(settings, known_inputs, known_targets))
    return Run(folder, settings, opened, task, model.network, signals, about, state, model.baselines, augmented)


def _for_cuda(settings: TrainSettings) -> TrainSettings:
    if settings.network.gradient_state == "carried":
        raise InputError("--gradient-state", "carried with --backend cuda", "wanted --backend cpu: stock cannot do it")
    return replace(settings, network=replace(settings.network, layer="stock"))


def _options_of(settings: TrainSettings, inputs: list[Path], targets: list[Path]) -> dict[str, Any]:
    """What to give `train` for the same run: the number of threads too, since it decides how sums are rounded."""
    recordings = {"input": [str(p.absolute()) for p in inputs], "target": [str(p.absolute()) for p in targets]}
    return recordings | settings.as_options() | {"threads": settings.threads}


def _start_jvm(settings: TrainSettings) -> None:
    _log.info("settings: %s", ", ".join(f"{name} {value}" for name, value in settings.as_options().items()))
    nd4j_threads = settings.threads if settings.network.layer == "stock" else 1
    jvm.configure(settings.threads, settings.run.backend, nd4j_threads)


def train(run: Run, report: Callable[[Progress], None] = lambda progress: None) -> dict[str, Any]:
    """Train until a limit, a plateau or Ctrl-C; the best and the last network are in the run folder.

    Parameters
    ----------
    run
        From `new_run` or `resumed_run`.
    report
        Called after every step.

    Returns
    -------
    dict
        ``run, model, task, steps, epochs, samples_per_second, valid, stopped_because``.

    Raises
    ------
    BridgeError
        The loss is not finite any more, or a file cannot be written. What was saved before is still there.
    """
    settings, state = run.settings.run, run.state
    training = [part(s, "train") for s in run.signals]
    windows = Windows(training + run.augmented, settings.length, settings.batch, run.settings.network.seed)
    valid = None
    with _interruptible() as interrupted, run.folder.open_log(run.task.learnt, run.task.judged) as log:
        fitted = run.baselines = _fit_baselines(run.task, training, run.baselines)
        reason = _reason_to_stop(run, windows)
        if state.step == 0:
            _save_last(run, fitted)
            if reason is None and run.settings.small_data.pretrain != "none":
                # Nothing of it is saved on the way: a run that stops here begins it again, from the same seed.
                reason = pretrain(run, training + run.augmented, report, interrupted)
        saved = time.monotonic()
        clock = _Clock(state.seconds)
        while reason is None:
            loss, accuracy, steps = step(run.network, windows, run.settings, state.step, run.task.weigh)
            _check_finite(run, loss, state.step + 1)
            state.step += 1
            state.seconds = clock.trained(steps * run.task.hop)
            valid = None
            if state.step % settings.validate_every == 0:
                with clock.paused():
                    valid = _validate(run, settings.validation_samples)
                    _keep_if_best(run, valid, fitted)
                    _mind_the_plateau(run, valid)
                    if time.monotonic() - saved > SAVE_SECONDS:
                        _save_last(run, fitted)
                        saved = time.monotonic()
            values = run.task.of_step(loss, accuracy)
            progress = _progress(run, windows, clock, values, valid)
            log.append(_log_row(progress, state.learning_rate))
            report(progress)
            reason = "interrupted" if interrupted() else _reason_to_stop(run, windows)
        if reason != "interrupted":
            if valid is None or not run.folder.model.exists():
                _keep_if_best(run, _validate(run, settings.validation_samples), fitted)
            run.best = _finish_best(run, fitted)
            valid = _validate_at_length(run, run.best)
        _save_last(run, fitted)
    result = {
        "run": str(run.folder.path),
        "model": str(run.folder.model if run.folder.model.exists() else run.folder.last),
        "task": run.task.name,
        "steps": state.step,
        "epochs": windows.epochs(state.step / _segments(run.settings)),
        "samples_per_second": clock.samples_per_second,
        "valid": valid,
        "stopped_because": reason,
    }
    if "pretraining" in run.about:
        result["pretrain_steps"] = run.about["pretraining"]["steps"]
    run.folder.write_run(run.about | {"status": reason, "result": result})
    run.folder.release()
    return result


def versions() -> dict[str, str]:
    """Versions of all that has a part in the result."""
    java = jvm.java_class("java.lang.System").getProperty("java.version")
    return versions_without_java() | {"java": str(java)}


def versions_without_java() -> dict[str, str]:
    """What of `versions` can be told before the JVM is there."""
    return {
        "dl4j_bridge": __version__,
        "dl4j": jars.dl4j_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def part_of(length: int, name: str) -> slice:
    """The stretch of a signal that is its ``train``, ``valid`` or ``test`` part."""
    return slice(*pairs.split(length)[name])


def run_through(stream: SampleStream, x: Indices, start: int, end: int) -> Iterator[Probabilities]:
    """Distributions for samples start..end-1 of `x`, in blocks, the stream having heard some samples before."""
    stream.reset()
    stream.consume(x[max(start - WARM_UP, 0) : start])
    for at in range(start, end, SampleStream.BLOCK):
        yield stream.run(x[at : min(at + SampleStream.BLOCK, end)])


def _open_pairs(inputs: list[Path], targets: list[Path], settings: TrainSettings) -> list[Pair]:
    data = settings.data
    opened = []
    none: list[Path | None] = [None] * len(inputs)
    for source, target in zip(inputs, targets or none, strict=True):
        pair = pairs.open_pair(source, target, data)
        pairs.check_long_enough(pair, settings.run.length, settings.hop)
        opened.append(pair)
        # The first recording's rate is the rate of all.
        data = replace(data, rate=pair.rate)
    return opened


def _describe_pair(pair: Pair, length: int, hop: int) -> dict[str, Any]:
    return {
        "input": {"path": str(pair.input.path.absolute()), "sha256": pair.input.sha256()},
        "target": pair.target and {"path": str(pair.target.path.absolute()), "sha256": pair.target.sha256()},
        "delay": pair.delay,
        "confidence": pair.confidence,
        "length": pair.length,
        "split": {name: (a * hop, b * hop) for name, (a, b) in pairs.split(length // hop).items()},
    }


def _check_same(pair: Pair, then: dict[str, Any]) -> None:
    for recording, stored in ((pair.input, then["input"]), (pair.target, then["target"])):
        if recording and recording.sha256() != stored["sha256"]:
            raise InputError(recording.path, "not the recording that the run began with", "bring that one back")


def _check_resumable(before: TrainSettings, after: TrainSettings) -> None:
    free = {"steps", "epochs", "minutes", "patience", "min_gain", "threads"}
    for group in (f.name for f in fields(before)):
        old, new = asdict(getattr(before, group)), asdict(getattr(after, group))
        changed = [name for name in old if old[name] != new[name] and name not in free]
        if changed:
            raise InputError(
                option(changed[0]),
                f"{new[changed[0]]} for a run that began with {old[changed[0]]}",
                "leave it out with --resume, or begin another run",
            )


def part(signals: Stretch, name: str) -> Stretch:
    """Both sides of the ``train``, ``valid`` or ``test`` part; views."""
    where = part_of(len(signals[0]), name)
    return signals[0][where], signals[1][where]


def _augmented(pairs: list[Pair], signals: list[Stretch], task: Task, settings: TrainSettings) -> list[Stretch]:
    """Copies of the training parts as the task has them; none of the parts that are held out."""
    stretches = []
    for number, (pair, (x, _)) in enumerate(zip(pairs, signals, strict=True)):
        end = part_of(len(x), "train").stop * task.hop
        for heard, learnt in augmentation.copies(pair, end, settings.small_data, (settings.network.seed, number)):
            x, y = task.signals(learnt)
            stretches.append((x if heard is learnt else task.signals(heard)[0], y))
    return stretches


def pretrain(
    run: Run, stretches: list[Stretch], report: Callable[[Progress], None], interrupted: Callable[[], bool]
) -> str | None:
    """Train an autoencoder and take over its recurrent layers; gives the reason to stop, if there is one."""
    settings, small = run.settings, run.settings.small_data
    network = Network.create(settings.network, run.task.interface)
    copying = pretraining.stretches(stretches, small.pretrain_delay, run.task.predicts)
    windows = Windows(copying, settings.run.length, settings.run.batch, settings.network.seed)
    clock = _Clock(0.0)
    values: dict[str, float] = {}
    for number in range(small.pretrain_steps):
        loss, accuracy, steps = step(network, windows, settings, number, run.task.weigh)
        _check_finite(run, loss, number + 1)
        seconds = clock.trained(steps * run.task.hop)
        values = run.task.of_step(loss, accuracy)
        epochs = windows.epochs((number + 1) / _segments(settings))
        done = (number + 1) / small.pretrain_steps
        left = seconds * (1 - done) / done
        report(
            Progress(number + 1, epochs, seconds, values, clock.samples_per_second, done, left, None, pretraining=True)
        )
        if interrupted():
            return "interrupted"
    run.network.copy_recurrent_layers(network)
    run.about["pretraining"] = {"steps": small.pretrain_steps, **values}
    return None


def _segments(settings: TrainSettings) -> int:
    """Steps that one batch of windows makes."""
    return -(-settings.run.length // settings.network.tbptt)


def step(
    network: Network,
    windows: Windows,
    settings: TrainSettings,
    number: int,
    weigh: Callable[[Signal], tuple[float, float, float] | None] = lambda target: None,
) -> tuple[float, float, int]:
    """Make update `number` (from 0) of a run; `weigh` is the task's.

    Returns
    -------
    loss, accuracy
        Of the segment, before the update, as `Network.step` gives them.
    steps
        Time steps of recordings that the segment holds.
    """
    tbptt = settings.network.tbptt
    batch, segment = divmod(number, _segments(settings))
    x, y = windows.draw(batch)
    here = slice(segment * tbptt, (segment + 1) * tbptt)
    # ND4J takes a seed of 0 for the clock.
    seed = (settings.network.seed + number) % 2**63 or 1
    x, y = x[:, here], y[:, here]
    x = exposure.of_segment(network, settings, x, number, segment == 0)
    weights = weigh(y)
    if weights:
        # At most half a segment: something must be learnt from it.
        unheard = min(settings.frames.warm_up, tbptt // 2) if segment == 0 else 0
        network.set_loss_weights(*weights, unheard)
    loss, accuracy = network.step(x, y, tbptt, segment == 0, seed)
    return loss, accuracy, x.shape[0] * x.shape[1]


def _check_finite(run: Run, loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise BridgeError(
            run.folder.path,
            f"the loss is {loss} at step {step}",
            "train again with a lower --learning-rate, or with --clip 1",
        )


def _reason_to_stop(run: Run, windows: Windows) -> str | None:
    settings, state = run.settings.run, run.state
    epochs = windows.epochs(state.step / _segments(run.settings))
    if settings.steps is not None and state.step >= settings.steps:
        return "steps"
    if settings.epochs is not None and epochs >= settings.epochs:
        return "epochs"
    if settings.minutes is not None and state.seconds >= settings.minutes * 60:
        return "minutes"
    if state.best_loss is not None and state.best_loss <= run.task.solved:
        return "solved"
    if state.validations_since_best >= settings.patience:
        return "plateau"
    return None


def _validate(run: Run, steps: int) -> Metrics:
    return validate(run.network, run.task, _valid_parts(run), steps)


def _valid_parts(run: Run) -> list[_Part]:
    return [_Part(signals, part_of(len(signals[0]), "valid")) for signals in run.signals]


@dataclass(frozen=True)
class _Part:
    """A part of a signal, with what comes before it."""

    signals: Stretch
    where: slice


def validate(network: Network, task: Task, parts: list[_Part], steps: int) -> Metrics:
    """Measure the network on up to `steps` time steps, in stretches spread evenly over the parts."""
    total = sum(p.where.stop - p.where.start for p in parts)
    stretches: list[Stretch] = []
    for part in parts:
        size = part.where.stop - part.where.start
        for start, end in _spread(part.where.start, size, min(size, max(steps * size // total, 1))):
            begin = max(start - WARM_UP, 0)
            stretches.append((part.signals[0][begin:end], part.signals[1][start:end]))
    outputs = _side_by_side(network, [x for x, _ in stretches])
    heard = [output[-len(y) :] for output, (_, y) in zip(outputs, stretches, strict=True)]
    return task.measure(heard, np.concatenate([y for _, y in stretches]))


def _side_by_side(network: Network, recordings: list[Signal]) -> list[npt.NDArray[np.float32]]:
    """Outputs for recordings of any lengths: the shorter ones go on with zeros, unheard."""
    longest = max(recordings, key=len)
    together = np.zeros((len(recordings), *longest.shape), longest.dtype)
    for row, x in zip(together, recordings, strict=True):
        row[: len(x)] = x
    return [output[: len(x)] for output, x in zip(network.run_batch(together), recordings, strict=True)]


def _spread(start: int, size: int, samples: int) -> list[tuple[int, int]]:
    """Up to `VALIDATION_STRETCHES` stretches of `samples` in all, evenly over start..start+size-1."""
    count = min(VALIDATION_STRETCHES, samples)
    length = samples // count
    starts = np.linspace(start, start + size - length, count).astype(int)
    return [(int(s), int(s) + length) for s in starts]


def _keep_if_best(run: Run, valid: Metrics, fitted: model_zip.Arrays) -> None:
    state, loss = run.state, _loss(run.task, valid)
    if state.best_loss is None or loss < state.best_loss or not run.folder.model.exists():
        state.best_loss = loss
        about = run.about | {"training": {"step": state.step, "valid": valid}}
        model_zip.save(run.folder.model, model_zip.Model(run.network, about, fitted), with_updater=False)


def _mind_the_plateau(run: Run, valid: Metrics) -> None:
    """Count the validations without improvement; a quarter of the patience of them halves the learning rate."""
    state, settings, loss = run.state, run.settings.run, _loss(run.task, valid)
    if state.plateau_loss is None or run.task.bits_gained(state.plateau_loss, loss) > settings.min_gain:
        state.plateau_loss = loss
        state.validations_since_best = state.validations_since_drop = 0
        return
    state.validations_since_best += 1
    state.validations_since_drop += 1
    if state.validations_since_drop >= max(settings.patience // 4, 1):
        state.validations_since_drop = 0
        state.learning_rate /= 2
        run.network.set_learning_rate(state.learning_rate)


def _loss(task: Task, valid: Metrics) -> float:
    loss = valid[task.loss]
    assert loss is not None, "a network always has a loss"
    return loss


def _save_last(run: Run, fitted: model_zip.Arrays) -> None:
    about = run.about | {"run_state": asdict(run.state)}
    model = model_zip.Model(run.network, about, fitted, run.network.state())
    model_zip.save(run.folder.last, model, with_updater=True)


def _finish_best(run: Run, fitted: model_zip.Arrays) -> model_zip.Model:
    """Load the best network; one that predicts the next sample learns its temperature as well."""
    best = model_zip.load(run.folder.model)
    if isinstance(run.task, SamplesTask) and run.task.predicts == "next":
        heard = [part(signals, "train")[0] for signals in run.signals]
        found = generation.find_temperature(best.network.stream(), heard)
        usual = steering.usual(run.task, heard, run.about["rate"])
        about = best.about | {"sampling": found | {"usual": usual}}
        best = model_zip.Model(best.network, about, fitted)
        model_zip.save(run.folder.model, best, with_updater=False)
    return best


def _validate_at_length(run: Run, best: model_zip.Model) -> Metrics:
    return validate(best.network, run.task, _valid_parts(run), FINAL_VALIDATION_STEPS)


def _fit_baselines(task: Task, training: list[Stretch], fitted: model_zip.Arrays) -> model_zip.Arrays:
    """Fit those that are not there yet."""
    if isinstance(task, FramesTask) and task.predicts == "target":
        unfitted: list[baselines.Baseline] = [*numbers.unfitted()]
        training = [(task.to_samples(x), task.to_samples(y)) for x, y in training]
    elif isinstance(task, SamplesTask):
        unfitted = [kind(task.codec) for kind in baselines.ALL]
    elif isinstance(task, SpectrogramTask):
        return fitted or {WIENER: wiener_gain([(x, task.stem(x, y)) for x, y in training])}
    else:
        return {}
    arrays = dict(fitted)
    for baseline in unfitted:
        if any(name.startswith(f"{baseline.name}/") for name in fitted):
            continue
        baseline.fit(training)
        arrays |= {f"{baseline.name}/{name}": value for name, value in baseline.arrays().items()}
    return arrays


def _progress(run: Run, windows: Windows, clock: _Clock, values: dict[str, float], valid: Metrics | None) -> Progress:
    settings, state = run.settings.run, run.state
    epochs = windows.epochs(state.step / _segments(run.settings))
    done = [
        value / limit
        for value, limit in (
            (state.step, settings.steps),
            (epochs, settings.epochs),
            (state.seconds / 60, settings.minutes),
        )
        if limit is not None
    ]
    fraction = min(max(done), 1.0) if done else None
    left = state.seconds * (1 - fraction) / fraction if fraction else None
    return Progress(state.step, epochs, state.seconds, values, clock.samples_per_second, fraction, left, valid)


def _log_row(progress: Progress, learning_rate: float) -> dict[str, Any]:
    valid = {f"valid_{name}": value for name, value in (progress.valid or {}).items()}
    return asdict(progress) | progress.values | valid | {"learning_rate": learning_rate}


class _Clock:
    """Seconds spent on training, validations left out; and the rate of this session."""

    def __init__(self, before: float) -> None:
        self._before = before
        self._start = time.perf_counter()
        self._samples = 0
        self._seconds = 0.0

    def trained(self, samples: int) -> float:
        """Count a step; gives the seconds of the whole run."""
        self._samples += samples
        self._seconds = time.perf_counter() - self._start
        return self._before + self._seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._start += time.perf_counter() - began

    @property
    def samples_per_second(self) -> float:
        return self._samples / self._seconds if self._seconds else 0.0


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C (and a termination request) only raise a flag, so that a step is finished and saved.

    A second Ctrl-C does what it always does.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
