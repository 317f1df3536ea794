"""Make a run folder from a file of another program, and prove that the network computes what the file does."""

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import proof
from dl4j_bridge.model import imports, model_zip, stored_network
from dl4j_bridge.model.imports.format import Imported
from dl4j_bridge.model.info import ModelInfo, Origin, versions
from dl4j_bridge.model.model_zip import Model, OpenedModel
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.reference.equations import forward, zero_states
from dl4j_bridge.reference.parameters import unpack
from dl4j_bridge.settings.checks import option
from dl4j_bridge.settings.commands import ADOPTABLE, AdoptSettings
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.interface import Signal, Task
from dl4j_bridge.untrusted import files

Outputs = npt.NDArray[np.floating]

# Time steps that are compared.
STEPS = 4_000
# The largest difference of an output that the state at the start may make without a note.
UNNOTICED = 1e-5


@dataclass(frozen=True)
class Read:
    """The network of a file, its format, how it differs from the file's own arithmetic, and what is to be known."""

    model: Model
    format: str
    difference: float
    notes: list[str]


def adopt(source: Path, out: Path | None, settings: AdoptSettings) -> dict[str, Any]:
    """Make a run folder from a file of another program.

    Before anything is written, the network runs over noise, and so does the arithmetic of the file's own program in
    NumPy. The two outputs are compared.

    Parameters
    ----------
    source
        The file.
    out
        Run folder to make; if None, a fresh one below ``runs``.
    settings
        What the file does not store.

    Returns
    -------
    dict
        ``run, model, format, task, predicts, network, rate, samples, difference`` (the largest of an output) and
        ``notes``.

    Raises
    ------
    InputError
        The file holds something else, or a setting is missing or does not fit.
    BridgeError
        The network would compute something else than the file.
    """
    found = read(source, settings, out)
    info = found.model.info
    folder = RunFolder.made(out, source)
    try:
        folder.write_run(info.as_dict() | {"status": "adopted"})
        model_zip.save(folder.model, found.model, with_updater=False)
    finally:
        folder.lock.release()
    return {
        "run": str(folder.path),
        "model": str(folder.model),
        "format": found.format,
        "task": info.task.name,
        "predicts": info.predicts,
        "network": f"{len(info.layers)} x {info.layers[0]} {info.settings.network.cell}",
        "rate": info.rate,
        "samples": STEPS,
        "difference": found.difference,
        "notes": found.notes,
    }


def read(source: Path, settings: AdoptSettings, out: Path | None = None) -> Read:
    """Make the network of a file in memory, and compare it with the file's own arithmetic; raises as `adopt`.

    Parameters
    ----------
    source, settings
        As for `adopt`.
    out
        Run folder that has to be free, if there is to be one.
    """
    settings.check()
    content = files.read(source, sum(stored_network.LARGEST.values()), "wanted a model file of another program")
    name, found = imports.read(source, content, settings.format)
    like = model_zip.open_model(settings.like) if settings.like else None
    info = _like(source, found, settings, like) if like else _described(source, found, settings)
    if out:
        RunFolder(out).check_free()
    x = proof.noise(info.task.interface, STEPS)
    silence, theirs, notes = _own_output(source, found, info, x)
    network = Network.restored(info.settings.network, info.task.interface, found.parameters, silence=silence)
    difference = proof.difference(proof.output(network, x), theirs)
    if not difference <= proof.CLOSE:
        wanted = f"wanted at most {proof.CLOSE:g}; please report this with the file"
        raise BridgeError(source, f"differs from the network by {difference:g}, not written", wanted)
    origin = Origin(str(source.absolute()), name, hashlib.sha256(content).hexdigest(), found.metadata)
    info = replace(info, silence=silence, origin=origin, versions=versions())
    return Read(Model(network, info, like.baselines if like else {}), name, difference, notes)


# ---- what the file does not store


def _described(source: Path, found: Imported, settings: AdoptSettings) -> ModelInfo:
    """Metadata of a network from the settings."""
    kind = _task(source, found, settings)
    for name in ("rate", "skip"):
        stored, given = getattr(found, name), getattr(settings, name)
        if stored is not None and given and given != stored:
            raise InputError(option(name), f"{given}, and the file has {stored}", "leave it out")
    rate = settings.rate or found.rate
    if rate is None:
        raise InputError("--rate", f"not given, and not stored in {source}", "wanted the rate of its training, in Hz")
    if settings.delay and settings.predicts == "next":
        raise InputError("--delay", "with --predicts next", "wanted none: there is no target that comes later")
    task, own = kind.adopted(found.inputs, replace(settings, skip=settings.skip or bool(found.skip)))
    sizes = {"cell": found.cell, "layers": found.layers, "hidden": found.hidden}
    options = {"task": task.name, "rate": rate, **sizes, **own}
    trained = registry.train_settings(options, settings.predicts == "target")
    trained = replace(trained, network=trained.network.resolved(), run=trained.run.resolved())
    return ModelInfo(task, rate, (found.hidden,) * found.layers, (), trained, settings.delay)


def _task(source: Path, found: Imported, settings: AdoptSettings) -> type[Task]:
    kinds = {name: registry.find(name).load() for name in ADOPTABLE}
    fitting = [name for name, kind in kinds.items() if kind.takes(found.inputs, found.outputs, found.output)]
    sizes = f"{found.inputs} inputs and {found.outputs} {found.output or ''} outputs".replace("  ", " ")
    if not fitting or (settings.task and settings.task not in fitting):
        what = f"--task {settings.task}" if settings.task else "a task"
        raise InputError(
            source, sizes, f"wanted for {what}: 256 classes (softmax), or as many linear outputs as inputs"
        )
    if not settings.task and len(fitting) > 1:
        raise InputError("--task", f"not given for {sizes}", f"wanted one of {', '.join(fitting)}")
    return kinds[settings.task or fitting[0]]


def _like(source: Path, found: Imported, settings: AdoptSettings, like: OpenedModel) -> ModelInfo:
    """Metadata of another model with the same network."""
    for f in fields(settings):
        if f.name not in ("format", "like") and getattr(settings, f.name) != f.default:
            raise InputError(option(f.name), "with --like", "wanted one of the two: --like brings all of it")
    info, network = like.info, like.info.settings.network
    ends = info.task.interface
    has = (found.cell, found.layers, found.hidden, found.inputs, found.outputs, found.output or ends.output)
    wanted = (network.cell, network.layers, network.hidden, ends.inputs, ends.outputs, ends.output)
    if has != wanted:
        raise InputError(source, f"a network of {_listed(has)}", f"wanted for --like: {_listed(wanted)}")
    same = np.array_equal(found.parameters, like.stored.parameters)
    # The metrics of other weights are not its own.
    return replace(info, run_state=None, training=info.training if same else None)


def _listed(network: tuple[Any, ...]) -> str:
    return "{1} x {2} {0}, {3} inputs, {4} {5} outputs".format(*network)


# ---- what the file computes


def _own_output(source: Path, found: Imported, info: ModelInfo, x: Signal) -> tuple[int, Outputs, list[str]]:
    """Steps of silence that lead to the file's state, what its own arithmetic makes of `x` from there, and notes."""
    ends = info.task.interface
    if not found.plain:
        return info.silence, _reference(found, info, x), []
    plain = replace(found.plain, skip=ends.skip)
    silence = plain.silence_to_start(info.rate)
    outputs = plain.run(x)
    at_start = proof.difference(plain.after_silence(silence).run(x), outputs)
    if at_start <= UNNOTICED:
        return silence, _activated(outputs, ends), []
    # As long as players run before they play.
    silence = info.rate // 2
    settled = plain.after_silence(silence).run(x)
    note = f"{source}: starts from a state that silence does not lead to; from silence its output differs by "
    return silence, _activated(settled, ends), [f"{note}{proof.difference(settled, outputs):.2g} at first"]


def _reference(found: Imported, info: ModelInfo, x: Signal) -> Outputs:
    """The output of a file of DL4J, by the NumPy network that everything is checked against."""
    network = unpack(found.parameters, found.inputs, found.hidden, found.layers, found.outputs, found.cell)
    vectors = np.eye(found.inputs)[x] if x.ndim == 1 else x
    after_silence = np.concatenate([np.zeros((info.silence, found.inputs)), vectors])
    logits = forward(network, after_silence.T[None], zero_states(network, 1)).logits[0].T[info.silence :]
    outputs = _activated(logits, info.task.interface)
    return outputs + x if info.task.interface.skip else outputs


def _activated(outputs: Outputs, ends: Interface) -> Outputs:
    if ends.output == "softmax":
        return np.asarray(softmax(outputs, axis=1))
    return np.asarray(expit(outputs)) if ends.output == "sigmoid" else outputs
