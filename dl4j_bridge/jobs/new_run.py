"""Begin a training run: check everything, then make the run folder and the network."""

import logging
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import advice, memory, pretraining, ray_cluster
from dl4j_bridge.jobs.large_folders import rest_of
from dl4j_bridge.model.info import ModelInfo, PairInfo, RunState, versions
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.model.run import Run
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.checks import option
from dl4j_bridge.settings.training import AboutSettings, TrainSettings, WorkersSettings
from dl4j_bridge.signal import augmentation, pairs
from dl4j_bridge.signal.folders import inputs_of
from dl4j_bridge.signal.pairs import Pair, Stretch, part_of
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.interface import Task

_log = logging.getLogger(__name__)


# Options of a run that another one which starts from its network does not take over.
_OWN: dict[str, Any] = {"steps": None, "epochs": None, "minutes": None, "schedule": "auto", "threads": None}
_OWN |= {f.name: f.default for group in (WorkersSettings, AboutSettings) for f in fields(group)}


def settings_from(start: OpenedModel, options: dict[str, Any]) -> TrainSettings:
    """Settings of a run that starts from a model's network: the model's, changed by `options`.

    Raises
    ------
    InputError
        An option is out of range.
    """
    info = start.info
    task = info.task.name
    if options.get("task", task) != task:
        raise InputError("--task", f"{options['task']} with --from a model of {task}", f"wanted --task {task}")
    # What another recording would choose for itself: the network knows its samples at this rate and in this codec.
    fixed = {"rate": info.rate, "codec": info.task.as_dict().get("codec", info.settings.data.codec)}
    # A model that predicts what comes next has asked for it; one of samples may go on to learn an effect.
    asked = "next" if info.predicts == "next" and registry.find(task).next_by_name else None
    return info.settings.with_options(_OWN | fixed | {"predict": asked} | options)


def new_run(
    inputs: list[Path], targets: list[Path], out: Path | None, settings: TrainSettings, start: OpenedModel | None = None
) -> Run:
    """Make the run folder and the network; `train` does the rest.

    Parameters
    ----------
    inputs, targets
        Recordings; no targets where what comes next is learned, and then an input may be a folder.
    out
        Run folder to make; if None, a fresh one below ``runs``.
    settings
        From `registry.train_settings`, or `settings_from` the same `start`.
    start
        The model whose network to begin with, instead of a random one.

    Raises
    ------
    InputError
        Before anything is written.
    """
    advice.check_predict(settings, bool(targets))
    if settings.run.backend == "cuda":
        settings = _for_cuda(settings)
    # The model file stores what was used, whatever "auto" may mean in a later version.
    settings = replace(settings, network=settings.network.resolved(), run=settings.run.resolved())
    augmentation.check(settings.small_data)
    check_workers(settings)
    named_after = inputs[0]
    if out:
        RunFolder(out).check_free()
    if not targets:
        inputs = inputs_of(inputs)
    configure_java(settings)
    jvm.start_early()
    opened = open_pairs(inputs, targets, settings)
    task = registry.choose(settings, opened)
    pretraining.check(settings.small_data, task)
    signals = [task.signals(pair) for pair in opened]
    copies = rest_of(opened, task, settings) + augmented(opened, signals, task, settings)
    memory.check(settings, task.interface)
    notes, warnings = advice.notes(task, opened, settings), advice.warnings(opened, settings)
    network = _network_of(start, settings, task) if start else Network.create(settings.network, task.interface)
    info = ModelInfo(
        task,
        opened[0].rate,
        (settings.network.hidden,) * settings.network.layers,
        tuple(PairInfo.of(pair, len(x), task.hop) for pair, (x, _) in zip(opened, signals, strict=True)),
        settings,
        opened[0].delay,
        versions=versions(),
    )
    state = RunState(learning_rate=settings.network.learning_rate)
    folder = RunFolder.made(out, named_after)
    with folder.released_on_error():
        origin = {"from": str(start.given.absolute())} if start else {}
        folder.begin(info.as_dict(), options_of(settings, inputs, targets) | origin)
    given = start.given if start else None
    run = Run(folder, settings, opened, task, network, signals, info, state, augmented=copies, start=given)
    return replace(run, advice=notes, warnings=warnings)


def _network_of(start: OpenedModel, settings: TrainSettings, task: Task) -> Network:
    """The network of a model of the same shape."""
    before, after = start.info.settings.network, settings.network
    for name in ("cell", "layers", "hidden"):
        had, wanted = getattr(before, name), getattr(after, name)
        if had != wanted:
            raise InputError(option(name), f"{wanted} with --from a network of {had}", f"wanted {had}")
    if start.info.task.interface != task.interface:
        found, wanted = start.info.task.describe(), task.describe()
        raise InputError(start.given, f"a network of {found}", f"wanted one of {wanted}")
    return Network.restored(after, task.interface, start.stored.parameters)


def open_pairs(inputs: list[Path], targets: list[Path], settings: TrainSettings) -> list[Pair]:
    """Open recordings that are long enough to train with; the first one's rate is the rate of all."""
    if targets and len(targets) != len(inputs):
        raise InputError("--target", f"{len(targets)} for {len(inputs)} --input", "wanted one for each, or none at all")
    data = settings.data
    opened = []
    none: list[Path | None] = [None] * len(inputs)
    for source, target in zip(inputs, targets or none, strict=True):
        pair = pairs.open_pair(source, target, data)
        pairs.check_long_enough(pair, settings.run.length, settings.own.hop)
        opened.append(pair)
        data = replace(data, rate=pair.rate)
    return opened


def augmented(opened: list[Pair], signals: list[Stretch], task: Task, settings: TrainSettings) -> list[Stretch]:
    """Signals of augmented copies of the training parts, and of no other part."""
    stretches = []
    for number, (pair, (x, _)) in enumerate(zip(opened, signals, strict=True)):
        end = part_of(len(x), "train").stop * task.hop
        for source, target in augmentation.copies(pair, end, settings.small_data, (settings.network.seed, number)):
            x, y = task.signals(target)
            stretches.append((x if source is target else task.signals(source)[0], y))
    return stretches


def check_workers(settings: TrainSettings) -> None:
    """Check that what the workers need is installed."""
    if settings.workers.on_ray:
        ray_cluster.require("--workers")


def configure_java(settings: TrainSettings) -> None:
    """Set the JVM's threads and backend, before it starts or while it runs."""
    _log.info("settings: %s", ", ".join(f"{name} {value}" for name, value in settings.as_options().items()))
    jvm.configure(settings.threads, settings.run.backend, settings.nd4j_threads)


def options_of(settings: TrainSettings, inputs: list[Path], targets: list[Path]) -> dict[str, Any]:
    """Options of `train` for the same run; the number of threads too, since it decides how sums are rounded."""
    recordings = {"input": [str(p.absolute()) for p in inputs], "target": [str(p.absolute()) for p in targets]}
    return recordings | settings.as_options() | {"threads": settings.threads}


def _for_cuda(settings: TrainSettings) -> TrainSettings:
    if settings.network.gradient_state == "carried":
        raise InputError("--gradient-state", "carried with --backend cuda", "wanted --backend cpu: stock cannot do it")
    network = replace(settings.network, layer="stock")
    network.check()
    return replace(settings, network=network)
