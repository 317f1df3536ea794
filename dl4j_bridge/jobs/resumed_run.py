"""Open a run folder to resume its training from ``last.zip``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.large_folders import rest_of
from dl4j_bridge.jobs.new_run import augmented, check_workers, configure_java, open_pairs, options_of
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.info import PairInfo, RecordingInfo
from dl4j_bridge.model.run import OUTER_MOMENTUM, Run
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.object_store import as_path
from dl4j_bridge.settings.checks import option
from dl4j_bridge.settings.training import OF_A_RUN, TrainSettings, WorkersSettings
from dl4j_bridge.signal import augmentation
from dl4j_bridge.signal.folders import hash_of, inputs_of
from dl4j_bridge.signal.pairs import Pair

# Options that may change when a run is resumed.
FREE = {"steps", "epochs", "minutes", "schedule", "patience", "min_gain", "stop_when_solved", "threads", "preview"}
FREE |= OF_A_RUN


def resumed_run(out: Path, options: dict[str, Any], inputs: list[Path], targets: list[Path]) -> Run:
    """Open a run folder and restore the state of its training.

    Parameters
    ----------
    out
        The run folder.
    options
        Limits to change: ``steps``, ``epochs``, ``minutes`` and the like.
    inputs, targets
        If not empty, where the recordings of the run are now: the same files, in the same order.

    Raises
    ------
    InputError
        Not a run, a recording is gone or is another one now, or an option that cannot change any more.
    BridgeError
        Another process trains in the folder.
    """
    folder = RunFolder(out)
    if not folder.last.exists():
        wanted = "wanted the folder of a run; of an adopted model, start one with: train --from"
        raise InputError(out, "no last.zip to resume from", wanted)
    folder.acquire()
    with folder.released_on_error():
        return _restored(folder, options, inputs, targets)


def _restored(folder: RunFolder, options: dict[str, Any], inputs: list[Path], targets: list[Path]) -> Run:
    opened_model = model_zip.open_model(folder.last)
    before, state = opened_model.info, opened_model.resumable_state()
    settings = before.settings.with_options(options)
    _check_resumable(before.settings, settings)
    augmentation.check(settings.small_data)
    check_workers(settings)
    known_inputs, known_targets = [p.input for p in before.pairs], [p.target for p in before.pairs if p.target]
    if inputs and not known_targets:
        inputs = inputs_of(inputs)
    inputs, targets = (
        _recordings(given, known, folder.recordings)
        for given, known in ((inputs, known_inputs), (targets, known_targets))
    )
    configure_java(settings)
    model = opened_model.load()
    opened = list(map(_same_pair, open_pairs(inputs, targets, settings), before.pairs))
    task = before.task
    signals = [task.signals(pair) for pair in opened]
    copies = rest_of(opened, task, settings) + augmented(opened, signals, task, settings)
    carried = dict(model.state)
    outer_momentum = carried.pop(OUTER_MOMENTUM, None)
    if settings.workers.sync_every == 1:
        outer_momentum = None
    model.network.restore_state(carried)
    moved = tuple(map(_moved, before.pairs, opened))
    info = replace(before, pairs=moved, settings=settings, run_state=None)
    folder.cut_log(state.step)
    folder.begin(info.as_dict(), options_of(settings, inputs, targets))
    return Run(
        folder, settings, opened, task, model.network, signals, info, state, model.baselines, copies, outer_momentum,
        advice=_changed_workers(before.settings.workers, settings),
    )  # fmt: skip


def _changed_workers(before: WorkersSettings, settings: TrainSettings) -> list[str]:
    """A note on what another number of workers changes."""
    now = settings.workers
    if (before.workers, before.sync_every) == (now.workers, now.sync_every):
        return []
    changes = "sums are rounded in another order"
    if settings.network.dropout:
        changes += ", and other inputs are dropped"
    if max(before.sync_every, now.sync_every) > 1:
        changes = f"each worker now trains with {settings.run.batch // now.workers} windows of a batch"
    return [f"--workers {now.workers} after {before.workers}: {changes}"]


def _recordings(given: list[Path], known: list[RecordingInfo], own: Path) -> list[Path]:
    """Where the recordings of a run are now: where they were, in the folder of its `own`, or the same files elsewhere.

    Raises
    ------
    InputError
        Other recordings than those that the run began with.
    """
    if not given:
        return [_present(as_path(recording.path), own) for recording in known]
    if len(given) != len(known):
        raise InputError(given[-1], f"{len(given)} recordings for the {len(known)} of this run", "wanted all of them")
    for path, recording in zip(given, known, strict=True):
        if hash_of(path) != recording.sha256:
            fix = f"wanted {recording.path}; for other recordings, begin a run: train --from RUN"
            raise InputError(path, "not a recording of this run", fix)
    return given


def _present(path: Path, own: Path) -> Path:
    found = next((place for place in (path, own / path.name) if place.exists()), None)
    if found is None:
        fix = "name the files where they are now: train RUN --resume --input FILE, and --target FILE if there was one"
        raise InputError(path, "not there any more", fix)
    return found


def _moved(then: PairInfo, pair: Pair) -> PairInfo:
    """What is stored of a pair, with the places where its recordings are now."""
    target = RecordingInfo.of(pair.target) if pair.target else None
    return replace(then, input=RecordingInfo.of(pair.input), target=target)


def _same_pair(pair: Pair, then: PairInfo) -> Pair:
    """The pair with the delay of the run so far, not a new estimate: the windows must be the same.

    Raises
    ------
    InputError
        A recording is another one now.
    """
    for recording, stored in ((pair.input, then.input), (pair.target, then.target)):
        if recording and stored and recording.sha256() != stored.sha256:
            raise InputError(recording.path, "not the recording that the run began with", "bring that one back")
    return replace(pair, delay=then.delay, length=then.length)


def _check_resumable(before: TrainSettings, after: TrainSettings) -> None:
    old, new = before.as_options(), after.as_options()
    if changed := [name for name in old if old[name] != new[name] and name not in FREE]:
        raise InputError(
            option(changed[0]),
            f"{new[changed[0]]} for a run that began with {old[changed[0]]}",
            "leave it out with --resume, or begin another run with this network: train --from RUN",
        )
