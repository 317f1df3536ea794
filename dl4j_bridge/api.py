"""The package from Python, as in a notebook: recordings or NumPy arrays in, arrays and figures out.

>>> import dl4j_bridge
>>> run = dl4j_bridge.load("amp")
>>> x = np.zeros(1000)
>>> run.process(x).shape
(1000,)
"""

import shutil
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_type_hints

import numpy as np

from dl4j_bridge.arguments import checked
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.new_run import new_run, settings_from
from dl4j_bridge.model import run
from dl4j_bridge.model.model_zip import OpenedModel, open_model
from dl4j_bridge.model.opened_network import OpenedNetwork, open_network
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings import toml_file
from dl4j_bridge.settings.commands import AdoptSettings, ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.arrays import Source, as_file, as_path
from dl4j_bridge.tasks import registry
from dl4j_bridge.terminal.console import print_notes
from dl4j_bridge.terminal.notebook import Comparison, Diagnosis
from dl4j_bridge.terminal.progress import if_wanted, samples_progress
from dl4j_bridge.trained import Run
from dl4j_bridge.with_report import Watching, diagnose_and_report, train_and_report

__all__ = [
    "Comparison",
    "Diagnosis",
    "OpenedNetwork",
    "Run",
    "adopt",
    "compare",
    "diagnose",
    "load",
    "open_network",
    "process",
    "train",
]


def train(
    input: Source | Sequence[Source],
    target: Source | Sequence[Source] | None = None,
    *,
    rate: int | None = None,
    out: str | PathLike[str] | None = None,
    preset: str = "default",
    start: str | PathLike[str] | None = None,
    progress: bool | None = None,
    tensorboard: str | PathLike[str] | None = None,
    mlflow: str | PathLike[str] | None = None,
    live: bool = False,
    report: bool = True,
    **options: Any,
) -> Run:
    """Learn to turn `input` into `target`; without a target, learn to predict the next sample.

    Ctrl-C, or the stop button of a notebook, stops and saves.

    Parameters
    ----------
    input, target : path, ndarray of float of shape (n,), or a list of these
        Dry and processed recordings; lists for several pairs. Arrays are kept as files in the run folder.
    rate
        Training rate in Hz, which is also the rate of arrays. For recordings the default is the input's own rate.
    out
        Run folder to write; if not given, a fresh one in ``runs``.
    preset
        Settings to start from: ``default``, or one of the task's, such as ``plugin`` with ``task="frames"``.
    start
        Run folder or model zip whose network to start from, with its settings as the defaults: ``--from``.
    progress
        True shows it on stderr; None shows it on a terminal and in a notebook only.
    tensorboard
        Folder to log scalars for TensorBoard into; needs the extra ``dl4j_bridge[tensorboard]``.
    mlflow
        Folder or tracking URI of MLflow to log settings and scalars to; needs the extra ``dl4j_bridge[mlflow]``.
    live
        Whether to show the training in a browser on this computer, at the address that is printed on stderr.
    report
        Whether to write ``report.html`` and its plots into the run folder.
    **options
        The options of ``dl4j-bridge train``, with underscores: ``steps, minutes, hidden, learning_rate, codec, ...``

    Returns
    -------
    Run

    Raises
    ------
    InputError
        A recording or an option cannot be used; nothing was written.
    BridgeError
        No Java, missing jars, the loss is not finite any more, or a file cannot be written.

    Examples
    --------
    >>> import dl4j_bridge
    >>> run = dl4j_bridge.train(
    ...     "plucked_dry.wav", "plucked_amplifier.wav", out="mine", steps=10, hidden=16, batch=4, validation_samples=400
    ... )
    >>> run
    Run('mine'): input to target, 11025 Hz, 10 steps
    >>> run.get_params()["hidden"]
    16
    """
    given = checked("train", {"rate": rate, **options})
    origin = None if start is None else open_model(as_path("start", start))
    usual = partial(registry.train_settings, given, target is not None, preset)
    settings = settings_from(origin, given) if origin else usual()
    watching = Watching(progress, tensorboard, mlflow, live, report).checked()
    inputs, targets = _several("input", input), _several("target", target)
    started = _new_run(inputs, targets, None if out is None else as_path("out", out), settings, origin)
    train_and_report(started, watching)
    return Run(started.folder.path)


def load(path: str | PathLike[str]) -> Run:
    """Open a run.

    Parameters
    ----------
    path
        A run folder or a model zip, also one that the command line wrote.

    Raises
    ------
    InputError
        Missing, damaged, or not one of ours.

    Examples
    --------
    >>> import dl4j_bridge
    >>> dl4j_bridge.load("amp")
    Run('amp'): input to target, 11025 Hz, 40 steps
    """
    return Run(path)


def adopt(
    path: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    like: str | PathLike[str] | None = None,
    **options: Any,
) -> Run:
    """Make a run folder from a model of another program, after comparing the two.

    Parameters
    ----------
    path
        A ``.nam`` file of the architecture LSTM, a PyTorch ``state_dict``, a DL4J zip, or a JSON file of RTNeural or
        Proteus.
    out
        Run folder to write; if not given, a fresh one in ``runs``.
    like
        A model of this package that Java saved again as `path`: everything but the weights is taken from it.
    **options
        The other options of ``dl4j-bridge adopt``, such as ``rate=44100`` or ``task="samples"``.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        The file holds something else, or an option is missing or does not fit.
    """
    from dl4j_bridge.jobs.adopt import adopt as adopt_model

    hints = get_type_hints(AdoptSettings)
    known = {name.replace("_", "-"): (name, hints[name]) for name in hints if name != "like"}
    given = toml_file.checked("adopt()", options, known)
    settings = AdoptSettings(like=None if like is None else as_path("like", like), **given)
    result = adopt_model(as_path("path", path), None if out is None else as_path("out", out), settings)
    print_notes(result["notes"])
    return Run(result["run"])


def diagnose(
    input: Source,
    target: Source | None = None,
    *,
    rate: int | None = None,
    out: str | PathLike[str] | None = None,
    quick: bool = False,
    preset: str = "default",
    progress: bool | None = None,
    **options: Any,
) -> Diagnosis:
    """Find out why a network does not learn: recordings, tensors, network, learning.

    Parameters
    ----------
    input, target, rate, preset, progress, **options
        As for `train`, with one pair.
    out
        Folder for ``report.html``; if not given, a fresh one in ``runs``.
    quick
        Under a minute: shorter trials.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InputError
        A recording or an option cannot be used.
    """
    from dl4j_bridge.jobs.diagnose import Request

    given = checked("diagnose", {"rate": rate, **options})
    settings = registry.train_settings(given, target is not None, preset)
    with TemporaryDirectory() as temporary:
        source = as_file("input", input, rate, Path(temporary))
        other = None if target is None else as_file("target", target, rate, Path(temporary))
        kept = not any(isinstance(x, np.ndarray) for x in (input, target))
        request = Request(source, other, settings, quick=quick, given=bool(given), kept=kept)
        found, page = diagnose_and_report(request, None if out is None else as_path("out", out), progress)
    return Diagnosis(found, str(page))


def process(
    model: str | PathLike[str],
    input: str | PathLike[str] | Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    channel: int | None = None,
    decode: str = ProcessSettings.decode,
    seed: int = ProcessSettings.seed,
    overwrite: bool = False,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Run recordings through a model, from file to file; `Run.process` does it with arrays.

    Parameters
    ----------
    model
        A run folder or a model zip.
    input
        A recording, a folder of recordings, or a list of these.
    output
        Recording to write; of several recordings, or of a folder, the folder to write them into by their names.
    channel
        Channel of the recordings, from 1; None is the one of the training, or a mix of all.
    decode, seed
        As for `Run.process`.
    overwrite
        Whether existing files are replaced; an input never is.
    progress
        False shows none; otherwise it is shown on a terminal.

    Returns
    -------
    dict
        ``output, samples, samples_per_second, real_time_factor, notes``; of several recordings also ``outputs`` with
        the same of each, and ``failed``: ``input`` and ``error`` of those that could not be processed.

    Raises
    ------
    InputError
        The model, the output or an option cannot be used, or a single recording.

    Examples
    --------
    >>> import dl4j_bridge
    >>> done = dl4j_bridge.process("amp", ["plucked_dry.wav", "speech_like.wav"], "processed")
    >>> [one["output"] for one in done["outputs"]], done["failed"]
    (['processed/plucked_dry.wav', 'processed/speech_like.wav'], [])
    """
    from dl4j_bridge.jobs.process_files import process_files

    several = input if isinstance(input, list | tuple) else [input]
    inputs = [as_path("input", path) for path in several]
    settings = ProcessSettings(decode=decode, seed=seed, overwrite=overwrite)
    with if_wanted(progress, lambda: samples_progress("process")) as report:
        return process_files(as_path("model", model), inputs, as_path("output", output), settings, channel, report)


def compare(
    model: str | PathLike[str] | Sequence[str | PathLike[str]],
    input: Source,
    target: Source | None = None,
    *,
    rate: int | None = None,
    progress: bool | None = None,
) -> Comparison:
    """Evaluate models on the same samples; `Run.compare` does it with one.

    Parameters
    ----------
    model
        A run folder, a model zip, a ``.nam`` file of the architecture LSTM or an ``.onnx`` file that `Run.export`
        wrote, or a list of these. Several have a row each, followed by the baselines of the first one of this package.
    input, target : path or ndarray of float, shape (n,)
        Dry and processed recording; no target for models that predict the next sample.
    rate
        Rate of arrays, in Hz.
    progress
        False shows none; otherwise it is shown on a terminal.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        A model or a recording cannot be used.

    Examples
    --------
    >>> import dl4j_bridge
    >>> one = dl4j_bridge.load("amp").export("dl4j", "again.zip")["output"]
    >>> rows = dl4j_bridge.compare(["amp", one], "plucked_dry.wav", "plucked_amplifier.wav")
    >>> [row["name"] for row in rows][:3]
    ['amp', 'again.zip', 'copy']
    """
    from dl4j_bridge.jobs.compare_models import compare_models

    models = [as_path("model", path) for path in (model if isinstance(model, list | tuple) else [model])]
    with TemporaryDirectory() as folder, if_wanted(progress, lambda: samples_progress("compare")) as report:
        source = as_file("input", input, rate, Path(folder))
        other = None if target is None else as_file("target", target, rate, Path(folder))
        return Comparison(compare_models(models, source, other, report=report))


def _new_run(
    inputs: list[Source], targets: list[Source], out: Path | None, settings: TrainSettings, start: OpenedModel | None
) -> run.Run:
    if not any(isinstance(x, np.ndarray) for x in (*inputs, *targets)):
        sources, others = [as_path("input", x) for x in inputs], [as_path("target", x) for x in targets]
        return new_run(sources, others, out, settings, start)
    folder = RunFolder(out or RunFolder.fresh_name(Path("array")))
    folder.check_free()
    if folder.recordings.exists():
        raise InputError(folder.recordings, "is there already", "wanted a new or an empty folder as out")
    new = folder.recordings if folder.path.exists() else folder.path
    folder.recordings.mkdir(parents=True)
    try:
        rate = settings.data.rate
        sources = [as_file(f"input-{n}", x, rate, folder.recordings) for n, x in enumerate(inputs, 1)]
        others = [as_file(f"target-{n}", x, rate, folder.recordings) for n, x in enumerate(targets, 1)]
        return new_run(sources, others, folder.path, settings, start)
    except BaseException:
        # What cannot be trained leaves nothing on the disk.
        shutil.rmtree(new, ignore_errors=True)
        raise


def _several(name: str, x: Source | Sequence[Source] | None) -> list[Source]:
    if x is None and name == "target":
        return []
    if isinstance(x, list | tuple):
        if not x:
            raise InputError(name, "an empty list", "wanted a recording")
        return list(x)
    return [x if isinstance(x, np.ndarray) else as_path(name, x)]
