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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import __version__, baselines, generation, jars, jvm, modelfile, pairs
from dl4j_bridge.config import TrainSettings, option
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.network import Network, SampleStream
from dl4j_bridge.pairs import Pair, Windows
from dl4j_bridge.runfolder import LOG_FIELDS, RunFolder
from dl4j_bridge.tasks.samples import Probabilities, SamplesTask

_log = logging.getLogger(__name__)

Indices = npt.NDArray[np.uint8]
Stretch = tuple[Indices, Indices]

# Samples heard before a validated stretch, so that it does not start from an empty state.
WARM_UP = 200
# The last validation looks at more than those on the way; all of it, where that is less.
FINAL_VALIDATION_SAMPLES = 1 << 16
# Nothing is left to learn: of 10,000 samples not one is in doubt. Rare loud samples come last, and weigh most in ESR.
SOLVED_BITS = 1e-4
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
    bits, accuracy
        Of the segment just seen, before its update.
    samples_per_second
        Of this session, validations left out.
    fraction
        Of the way to the nearest limit, or None where only a plateau ends the run.
    seconds_left
        To that limit.
    valid
        The newest validation, if this step made one, else None.
    """

    step: int
    epochs: float
    seconds: float
    bits: float
    accuracy: float
    samples_per_second: float
    fraction: float | None
    seconds_left: float | None
    valid: dict[str, float | None] | None


@dataclass
class RunState:
    """What a resumed run must know, beside the network with its updater and carried state."""

    step: int = 0
    seconds: float = 0.0
    best_bits: float | None = None
    plateau_bits: float | None = None
    validations_since_best: int = 0
    validations_since_drop: int = 0
    learning_rate: float = 0.0


@dataclass
class Run:
    """A training run: made by `new_run` or `resumed_run`, driven by `train`."""

    folder: RunFolder
    settings: TrainSettings
    pairs: list[Pair]
    task: SamplesTask
    network: Network
    signals: list[Stretch]
    about: dict[str, Any]
    state: RunState = field(default_factory=RunState)
    # Of a resumed run: what it fitted when it began, since fitting again may round differently. Else `train` fits them.
    baselines: modelfile.Arrays = field(default_factory=dict)
    # There once a run has ended by itself.
    best: modelfile.Model | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know of the layers and the recordings, each thing once."""
        of_layers = [ON_CUDA] if self.settings.run.backend == "cuda" else []
        return of_layers + list(dict.fromkeys(note for pair in self.pairs for note in pair.notes))


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
    folder = RunFolder(out or RunFolder.fresh_name(inputs[0]))
    folder.check_free()
    opened = _open_pairs(inputs, targets, settings)
    eight_bit = all(pair.input.is_8_bit and (pair.target is None or pair.target.is_8_bit) for pair in opened)
    task = SamplesTask.choose(settings.data, eight_bit, bool(targets))
    signals = [signals_of(task, pair) for pair in opened]
    _start_jvm(settings)
    network = Network.create(settings.network, task.classes)
    about = task.as_dict() | {
        "classes": task.classes,
        "rate": opened[0].rate,
        "layers": [settings.network.hidden] * settings.network.layers,
        "pairs": [_describe_pair(pair, x.size) for pair, (x, _) in zip(opened, signals, strict=True)],
        "settings": settings.as_dict(),
        "versions": versions(),
    }
    folder.create()
    folder.write_run(about | {"status": "running"})
    folder.write_config(_options_of(settings, inputs, targets))
    state = RunState(learning_rate=settings.network.learning_rate)
    return Run(folder, settings, opened, task, network, signals, about, state)


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
    stored = modelfile.read_about(folder.last)
    before = TrainSettings.from_dict(stored["settings"])
    settings = before.with_options(options)
    _check_resumable(before, settings)
    known_inputs = [Path(p["input"]["path"]) for p in stored["pairs"]]
    known_targets = [Path(p["target"]["path"]) for p in stored["pairs"] if p["target"]]
    for given, known in ((inputs, known_inputs), (targets, known_targets)):
        if given and [p.absolute() for p in given] != known:
            raise InputError(given[0], "not a recording of this run", f"wanted {known[0] if known else 'none'}")
    _start_jvm(settings)
    model = modelfile.load(folder.last)
    task = SamplesTask.from_dict(stored)
    opened = _open_pairs(known_inputs, known_targets, settings)
    signals = []
    for pair, then in zip(opened, stored["pairs"], strict=True):
        _check_same(pair, then)
        # The delay of then, not a new estimate: the windows must be those of the run so far.
        signals.append(signals_of(task, replace(pair, delay=then["delay"], length=then["length"])))
    model.network.restore_state(model.state)
    state = RunState(**stored["run_state"])
    about = {k: v for k, v in stored.items() if k != "run_state"} | {"settings": settings.as_dict()}
    folder.cut_log(state.step)
    folder.write_run(about | {"status": "running"})
    folder.write_config(_options_of(settings, known_inputs, known_targets))
    return Run(folder, settings, opened, task, model.network, signals, about, state, model.baselines)


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
    jvm.start(settings.threads, settings.run.backend, nd4j_threads)


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
    windows = Windows(training, settings.length, settings.batch, run.settings.network.seed)
    valid = None
    with _interruptible() as interrupted, run.folder.open_log() as log:
        fitted = run.baselines = _fit_baselines(run.task, training, run.baselines)
        reason = _reason_to_stop(run, windows)
        if state.step == 0:
            _save_last(run, fitted)
        saved = time.monotonic()
        clock = _Clock(state.seconds)
        while reason is None:
            bits, accuracy, samples = step(run.network, windows, run.settings, state.step)
            if not math.isfinite(bits):
                raise BridgeError(
                    run.folder.path,
                    f"the loss is {bits} at step {state.step + 1}",
                    "train again with a lower --learning-rate, or with --clip 1",
                )
            state.step += 1
            state.seconds = clock.trained(samples)
            valid = None
            if state.step % settings.validate_every == 0:
                with clock.paused():
                    valid = _validate(run, settings.validation_samples)
                    _keep_if_best(run, valid, fitted)
                    _mind_the_plateau(run, valid)
                    if time.monotonic() - saved > SAVE_SECONDS:
                        _save_last(run, fitted)
                        saved = time.monotonic()
            progress = _progress(run, windows, clock, bits, accuracy, valid)
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
    stream.listen(x[max(start - WARM_UP, 0) : start])
    for at in range(start, end, SampleStream.BLOCK):
        yield stream.run(x[at : min(at + SampleStream.BLOCK, end)])


def _open_pairs(inputs: list[Path], targets: list[Path], settings: TrainSettings) -> list[Pair]:
    data = settings.data
    opened = []
    none: list[Path | None] = [None] * len(inputs)
    for source, target in zip(inputs, targets or none, strict=True):
        pair = pairs.open_pair(source, target, data)
        pairs.check_long_enough(pair, settings.run.length)
        opened.append(pair)
        # The first recording's rate is the rate of all.
        data = replace(data, rate=pair.rate)
    return opened


def signals_of(task: SamplesTask, pair: Pair) -> Stretch:
    """Both sides of a pair as class indices, the delay cut out."""
    source = task.encode(pair.input, pair.rate)[pair.input_start :][: pair.length]
    if pair.target is None:
        return task.input_and_target(source, None)
    target = task.encode(pair.target, pair.rate)[pair.target_start :][: pair.length]
    return task.input_and_target(source, target)


def _describe_pair(pair: Pair, length: int) -> dict[str, Any]:
    return {
        "input": {"path": str(pair.input.path.absolute()), "sha256": pair.input.sha256()},
        "target": pair.target and {"path": str(pair.target.path.absolute()), "sha256": pair.target.sha256()},
        "delay": pair.delay,
        "confidence": pair.confidence,
        "length": pair.length,
        "split": pairs.split(length),
    }


def _check_same(pair: Pair, then: dict[str, Any]) -> None:
    for recording, stored in ((pair.input, then["input"]), (pair.target, then["target"])):
        if recording and recording.sha256() != stored["sha256"]:
            raise InputError(recording.path, "not the recording that the run began with", "bring that one back")


def _check_resumable(before: TrainSettings, after: TrainSettings) -> None:
    free = {"steps", "epochs", "minutes", "patience", "min_gain", "threads"}
    for group in ("data", "network", "run"):
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
    where = part_of(signals[0].size, name)
    return signals[0][where], signals[1][where]


def _segments(settings: TrainSettings) -> int:
    """Steps that one batch of windows makes."""
    return -(-settings.run.length // settings.network.tbptt)


def step(network: Network, windows: Windows, settings: TrainSettings, number: int) -> tuple[float, float, int]:
    """Make update `number` (from 0) of a run.

    Returns
    -------
    bits, accuracy
        Of the segment, before the update.
    samples
        That the segment holds.
    """
    tbptt = settings.network.tbptt
    batch, segment = divmod(number, _segments(settings))
    x, y = windows.draw(batch)
    here = slice(segment * tbptt, (segment + 1) * tbptt)
    # ND4J takes a seed of 0 for the clock.
    seed = (settings.network.seed + number) % 2**63 or 1
    bits, accuracy = network.step(x[:, here], y[:, here], tbptt, segment == 0, seed)
    return bits, accuracy, x[:, here].size


def _reason_to_stop(run: Run, windows: Windows) -> str | None:
    settings, state = run.settings.run, run.state
    epochs = windows.epochs(state.step / _segments(run.settings))
    if settings.steps is not None and state.step >= settings.steps:
        return "steps"
    if settings.epochs is not None and epochs >= settings.epochs:
        return "epochs"
    if settings.minutes is not None and state.seconds >= settings.minutes * 60:
        return "minutes"
    if state.best_bits is not None and state.best_bits <= SOLVED_BITS:
        return "solved"
    if state.validations_since_best >= settings.patience:
        return "plateau"
    return None


def _validate(run: Run, samples: int) -> dict[str, float | None]:
    return validate(run.network, run.task, [_Part(s, part_of(s[0].size, "valid")) for s in run.signals], samples)


@dataclass(frozen=True)
class _Part:
    """A part of a signal, with what comes before it."""

    signals: Stretch
    where: slice


def validate(network: Network, task: SamplesTask, parts: list[_Part], samples: int) -> dict[str, float | None]:
    """Measure the network on up to `samples` samples, in stretches spread evenly over the parts."""
    total = sum(p.where.stop - p.where.start for p in parts)
    stretches: list[Stretch] = []
    for part in parts:
        size = part.where.stop - part.where.start
        for start, end in _spread(part.where.start, size, min(size, max(samples * size // total, 1))):
            begin = max(start - WARM_UP, 0)
            stretches.append((part.signals[0][begin:end], part.signals[1][start:end]))
    probabilities = _side_by_side(network, [x for x, _ in stretches])
    heard = [p[-y.size :] for p, (_, y) in zip(probabilities, stretches, strict=True)]
    return task.measure(heard, np.concatenate([y for _, y in stretches]))


def _side_by_side(network: Network, recordings: list[Indices]) -> list[Probabilities]:
    """Distributions for recordings of any lengths: the shorter ones go on with class 0, unheard."""
    together = np.zeros((len(recordings), max(x.size for x in recordings)), np.uint8)
    for row, x in zip(together, recordings, strict=True):
        row[: x.size] = x
    return [p[: x.size] for p, x in zip(network.side_by_side(together), recordings, strict=True)]


def _spread(start: int, size: int, samples: int) -> list[tuple[int, int]]:
    """Up to `VALIDATION_STRETCHES` stretches of `samples` in all, evenly over start..start+size-1."""
    count = min(VALIDATION_STRETCHES, samples)
    length = samples // count
    starts = np.linspace(start, start + size - length, count).astype(int)
    return [(int(s), int(s) + length) for s in starts]


def _keep_if_best(run: Run, valid: dict[str, float | None], fitted: modelfile.Arrays) -> None:
    state, bits = run.state, _bits(valid)
    if state.best_bits is None or bits < state.best_bits or not run.folder.model.exists():
        state.best_bits = bits
        about = run.about | {"training": {"step": state.step, "valid": valid}}
        modelfile.save(run.folder.model, modelfile.Model(run.network, about, fitted), with_updater=False)


def _mind_the_plateau(run: Run, valid: dict[str, float | None]) -> None:
    """Count the validations without improvement; a quarter of the patience of them halves the learning rate."""
    state, settings, bits = run.state, run.settings.run, _bits(valid)
    if state.plateau_bits is None or bits < state.plateau_bits - settings.min_gain:
        state.plateau_bits = bits
        state.validations_since_best = state.validations_since_drop = 0
        return
    state.validations_since_best += 1
    state.validations_since_drop += 1
    if state.validations_since_drop >= max(settings.patience // 4, 1):
        state.validations_since_drop = 0
        state.learning_rate /= 2
        run.network.set_learning_rate(state.learning_rate)


def _bits(valid: dict[str, float | None]) -> float:
    bits = valid["bits"]
    assert bits is not None, "a network always has a distribution"
    return bits


def _save_last(run: Run, fitted: modelfile.Arrays) -> None:
    about = run.about | {"run_state": asdict(run.state)}
    model = modelfile.Model(run.network, about, fitted, run.network.state())
    modelfile.save(run.folder.last, model, with_updater=True)


def _finish_best(run: Run, fitted: modelfile.Arrays) -> modelfile.Model:
    """Load the best network; one that predicts the next sample learns its temperature as well."""
    best = modelfile.load(run.folder.model)
    if run.task.predicts == "next":
        heard = [part(signals, "train")[0] for signals in run.signals]
        about = best.about | {"sampling": generation.find_temperature(best.network.stream(), heard)}
        best = modelfile.Model(best.network, about, fitted)
        modelfile.save(run.folder.model, best, with_updater=False)
    return best


def _validate_at_length(run: Run, best: modelfile.Model) -> dict[str, float | None]:
    return validate(
        best.network, run.task, [_Part(s, part_of(s[0].size, "valid")) for s in run.signals], FINAL_VALIDATION_SAMPLES
    )


def _fit_baselines(task: SamplesTask, training: list[Stretch], fitted: modelfile.Arrays) -> modelfile.Arrays:
    """Fit those that are not there yet."""
    arrays = dict(fitted)
    for kind in baselines.ALL:
        if any(name.startswith(f"{kind.name}/") for name in fitted):
            continue
        baseline = kind(task.codec)
        baseline.fit(training)
        arrays |= {f"{baseline.name}/{name}": value for name, value in baseline.arrays().items()}
    return arrays


def _progress(
    run: Run, windows: Windows, clock: _Clock, bits: float, accuracy: float, valid: dict[str, float | None] | None
) -> Progress:
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
    return Progress(state.step, epochs, state.seconds, bits, accuracy, clock.samples_per_second, fraction, left, valid)


def _log_row(progress: Progress, learning_rate: float) -> dict[str, float | None]:
    row = {name: value for name, value in asdict(progress).items() if name in LOG_FIELDS}
    valid = {f"valid_{name}": value for name, value in (progress.valid or {}).items()}
    return row | valid | {"learning_rate": learning_rate}


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
