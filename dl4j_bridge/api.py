"""The package from Python, as in a notebook: recordings or NumPy arrays in, arrays and figures out.

>>> import dl4j_bridge
>>> run = dl4j_bridge.load("amp")
>>> x = np.zeros(1000)
>>> run.process(x).shape
(1000,)
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory
from types import UnionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, Unpack, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs import comparing, diagnosing, generation, processing, tensorboard_log, training
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings import config, toml_file
from dl4j_bridge.settings.config import (
    CompareSettings,
    GenerateSettings,
    ProcessSettings,
    TrainSettings,
    validate_generate,
)
from dl4j_bridge.signal import audio
from dl4j_bridge.terminal.console import stderr
from dl4j_bridge.terminal.progress import announce, checks_progress, samples_progress, training_progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

Sound = npt.NDArray[np.floating]
Recording = str | PathLike[str] | Sound
"""A path, or an array of shape (n,), mono, of floats between -1 and 1; what is beyond is clipped."""

# Arrays become files of this format: unlike a float WAV it holds no time, so that the same samples have the same hash.
ARRAY_SUBTYPE = "PCM_32"


class Options(TypedDict, total=False):
    """The options of ``dl4j-bridge train``, with the same meanings and defaults; ``rate`` stands beside them."""

    channel: int | None
    codec: str
    pre_emphasis: float
    align: str | int
    task: str
    layer: str
    gradient_state: str
    layers: int
    hidden: int
    tbptt: int
    init: str
    updater: str
    learning_rate: float
    l2: float
    weight_decay: float
    clip: float
    dropout: float
    seed: int
    length: int
    batch: int
    steps: int | None
    epochs: float | None
    minutes: float | None
    validate_every: int
    patience: int
    min_gain: float
    validation_samples: int
    threads: int | None
    backend: str
    frame: int
    loss: str
    skip: bool
    augment: str
    augment_copies: int
    pretrain: str
    pretrain_steps: int
    pretrain_delay: int
    window: int
    hop: int
    mask: bool
    warm_up: int
    input_noise: float
    scheduled_sampling: float


class Limits(TypedDict, total=False):
    """What a run may be resumed with."""

    steps: int | None
    epochs: float | None
    minutes: float | None
    patience: int
    min_gain: float
    threads: int | None


def train(
    input: Recording | Sequence[Recording],
    target: Recording | Sequence[Recording] | None = None,
    *,
    rate: int | None = None,
    out: str | PathLike[str] | None = None,
    preset: str = "default",
    progress: bool | None = None,
    tensorboard: str | PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Run:
    """Learn to turn `input` into `target`; without a target, learn to predict the next sample.

    Ctrl-C, or the stop button of a notebook, stops and saves.

    Parameters
    ----------
    input, target : path, ndarray of float of shape (n,), or a list of these
        Dry and processed recordings; lists for several pairs. Arrays are kept as files in the run folder.
    rate
        Training rate in Hz, which is also the rate of arrays. Recordings may go without: the input's own.
    out
        Run folder to write; if not given, a fresh one in ``runs``.
    preset
        Settings to begin from: ``default``, ``posted`` or ``posted-legacy``.
    progress
        True shows it on stderr; None shows it on a terminal and in a notebook only.
    tensorboard
        Folder to log scalars for TensorBoard into; needs the extra ``dl4j_bridge[tensorboard]``.
    **options
        As of ``dl4j-bridge train``, with underscores: ``steps, minutes, hidden, learning_rate, codec, ...``

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
    given = _checked("train", {"rate": rate, **options})
    settings = config.preset(preset, target is not None, options.get("task", "samples")).with_options(given)
    if tensorboard is not None:
        tensorboard_log.check(Path(tensorboard))
    inputs, targets = _several("input", input), _several("target", target)
    job = _new_run(inputs, targets, None if out is None else Path(out), settings)
    return _trained(job, progress, tensorboard)


def load(path: str | PathLike[str]) -> Run:
    """Come back to a run.

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


def diagnose(
    input: Recording,
    target: Recording | None = None,
    *,
    rate: int | None = None,
    out: str | PathLike[str] | None = None,
    quick: bool = True,
    preset: str = "default",
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Diagnosis:
    """Find out why a network does not learn: recordings, hand-over, network, learning.

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
    given = _checked("diagnose", {"rate": rate, **options})
    settings = config.preset(preset, target is not None, options.get("task", "samples")).with_options(given)
    with TemporaryDirectory() as folder, _if_wanted(progress, checks_progress) as report:
        source = _file("input", input, rate, Path(folder))
        other = None if target is None else _file("target", target, rate, Path(folder))
        request = diagnosing.Request(source, other, settings, quick=quick, given=bool(given))
        return Diagnosis(diagnosing.diagnose(request, None if out is None else Path(out), report))


class Run:
    """A trained network with its run folder; made by `train` or `load`.

    Parameters
    ----------
    path
        A run folder or a model zip.

    Attributes
    ----------
    path : Path
        The same.
    about : dict
        All that the model file says of itself: codec, rate, recordings, settings, versions.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._zip = model_zip.resolve(self.path)
        self.about = model_zip.read_about(self._zip)

    def __repr__(self) -> str:
        kind = "input to target" if self.about["predicts"] == "target" else "next sample"
        return f"Run({fspath(self.path)!r}): {kind}, {self.rate} Hz, {self._steps} steps"

    @property
    def rate(self) -> int:
        """Rate that the network works at, in Hz."""
        return int(self.about["rate"])

    @property
    def result(self) -> dict[str, Any]:
        """What the training ended with: ``steps, epochs, samples_per_second, valid, stopped_because``, ...

        Raises
        ------
        InputError
            The run folder is not there (any more), as with a model zip alone, or it is still in training.
        """
        stored = RunFolder(self.path).read_run()
        if "result" not in stored:
            raise InputError(self.path, f"a run that is {stored.get('status')}", "wanted one that has ended")
        return dict(stored["result"])

    def get_params(self) -> dict[str, Any]:
        """Give all options of the training by name, as `train` takes them.

        Returns
        -------
        dict
            Such as ``{"hidden": 200, "learning_rate": 0.01, ...}``.
        """
        return TrainSettings.from_dict(self.about["settings"]).as_options()

    def process(
        self,
        x: Recording,
        rate: int | None = None,
        *,
        decode: str = ProcessSettings.decode,
        seed: int = ProcessSettings.seed,
        progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """Run a recording of any length through the network.

        Parameters
        ----------
        x : ndarray of float, shape (n,), or path
            Mono, between -1 and 1; a path also in stereo, which is mixed down.
        rate
            Of an array, in Hz; the network's own if not given. A recording has one of its own.
        decode
            Distribution to sample value: ``mean``, ``argmax`` or ``sample``; ``auto`` is mean.
        seed
            Of ``sample``.
        progress
            False shows none; otherwise it is shown on a terminal.

        Returns
        -------
        ndarray of float32, shape (n,)
            At the rate of `x`.

        Raises
        ------
        InputError
            `x` cannot be used, or the model predicts the next sample.

        Examples
        --------
        >>> import dl4j_bridge
        >>> run = dl4j_bridge.load("amp")
        >>> y = run.process(np.sin(np.arange(2000) / 10), rate=44100)
        >>> y.shape, y.dtype
        ((2000,), dtype('float32'))
        """
        processing.check_effect(self.path, self.about)
        sound, own = self._heard("x", x, rate)
        settings = ProcessSettings(decode=decode, seed=seed)
        with _if_wanted(progress, lambda: samples_progress("process")) as report:
            return processing.process_samples(self._model, sound, own, settings, report)

    def generate(
        self,
        seconds: float = 10.0,
        seed: int = GenerateSettings.seed,
        *,
        temperature: float | None = None,
        top_p: float = GenerateSettings.top_p,
        prime: Recording | None = None,
        steer: bool = GenerateSettings.steer,
        progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """Draw new audio from a network that predicts the next sample.

        Parameters
        ----------
        seconds
            Length of the new audio.
        seed
            The same seed gives the same samples.
        temperature
            Below 1 plays safe, above 1 takes risks; None is what the end of training found.
        top_p
            Draw only from the likeliest classes of this total share.
        prime : path or ndarray of float, shape (n,)
            A recording to hear first; an array has the network's rate.
        steer
            Keep the audio as loud and as unpredictable as the recordings, unless a temperature is given.
        progress
            False shows none; otherwise it is shown on a terminal.

        Returns
        -------
        ndarray of float32, shape (round(seconds * run.rate),)
            At the network's rate.

        Raises
        ------
        InputError
            An option makes no sense, or the model turns an input into a target.

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("voice").generate(0.1, seed=7).shape
        (1102,)
        """
        generation.check_generator(self.path, self.about)
        settings = GenerateSettings(temperature, top_p, seed, steer)
        validate_generate(settings, seconds)
        heard = None
        if prime is not None:
            sound, own = self._heard("prime", prime, None)
            length = audio.length_at(sound.size, own, self.rate)
            heard = np.concatenate(list(audio.resampled([sound], own, self.rate, length)))
        with _if_wanted(progress, lambda: samples_progress("generate")) as report:
            blocks = generation.new_audio(self._model, heard, "prime", seconds, settings, report)
            return np.concatenate(list(blocks), dtype=np.float32)

    def compare(
        self,
        input: Recording | None = None,
        target: Recording | None = None,
        *,
        rate: int | None = None,
        pytorch: bool = False,
        progress: bool | None = None,
    ) -> Comparison:
        """Judge the network and the pure-Python baselines on the same samples.

        Parameters
        ----------
        input, target : path or ndarray of float, shape (n,)
            If not given, the (first) pair of the training. Of that only the held-out test part counts, of any other
            pair all of it.
        rate
            Of arrays, in Hz; the network's own if not given.
        pytorch
            Train a PyTorch LSTM of the same size as one more row; takes a while.
        progress
            False shows none; otherwise it is shown on a terminal.

        Returns
        -------
        Comparison

        Raises
        ------
        InputError
            A recording cannot be used, or is gone.

        Examples
        --------
        >>> import dl4j_bridge
        >>> rows = dl4j_bridge.load("amp").compare()
        >>> [row["name"] for row in rows][:2]
        ['model', 'copy']
        """
        if input is None:
            input, target = self._pair_of_training()
        settings = CompareSettings(pytorch=pytorch)
        rate = _rate(rate, self.rate)
        with (
            TemporaryDirectory() as folder,
            _if_wanted(progress, lambda: samples_progress("compare")) as report,
        ):
            source = _file("input", input, rate, Path(folder))
            other = None if target is None else _file("target", target, rate, Path(folder))
            return Comparison(comparing.compare(self.path, source, other, settings, report))

    def resume(
        self,
        *,
        progress: bool | None = None,
        tensorboard: str | PathLike[str] | None = None,
        **limits: Unpack[Limits],
    ) -> Run:
        """Train on from where the run stopped.

        Parameters
        ----------
        progress, tensorboard
            As for `train`.
        **limits
            New ones: ``steps``, ``epochs`` and ``minutes`` count from the start of the run.

        Returns
        -------
        Run

        Raises
        ------
        InputError
            A recording of the run is gone or is another one now.
        """
        if tensorboard is not None:
            tensorboard_log.check(Path(tensorboard))
        job = training.resumed_run(self.path, _checked("resume", dict(limits)), [], [])
        return _trained(job, progress, tensorboard)

    def curves(self) -> dict[str, npt.NDArray[np.float64]]:
        """Give the log of the training.

        Returns
        -------
        dict of ndarray, each of shape (steps,)
            ``step, epochs, seconds, bits, accuracy, samples_per_second, learning_rate, valid_bits, valid_accuracy,
            valid_esr``; the last three are NaN at steps without a validation. ``bits`` are bits per sample. A task of
            numbers has ``loss, valid_mse, valid_esr`` instead.

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("amp").curves()["bits"].shape
        (40,)
        """
        rows = RunFolder(self.path).read_log()
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in (rows[0] if rows else ())}

    def plot(self) -> Figure:
        """Draw the loss over steps, of training and validation; a notebook shows it by itself.

        Returns
        -------
        matplotlib.figure.Figure

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("amp").plot().savefig("loss.png")
        """
        from dl4j_bridge.report import figures

        return figures.learning(self.curves())

    @property
    def _steps(self) -> int:
        return int(self.about.get("training", self.about.get("run_state", {}))["step"])

    @cached_property
    def _model(self) -> model_zip.Model:
        jvm.configure(threads=1)
        return model_zip.load(self._zip)

    def _heard(self, name: str, x: Recording, rate: int | None) -> tuple[Sound, int]:
        """Samples and their rate."""
        if isinstance(x, np.ndarray):
            return _mono(name, x), _rate(rate, self.rate)
        path = _path(name, x)
        channel = audio.channel_if_there(path, self.about["settings"]["data"]["channel"])
        recording = audio.open_recording(path, channel)
        return recording.read(recording.rate), recording.rate

    def _pair_of_training(self) -> tuple[Path, Path | None]:
        stored = self.about["pairs"][0]
        return Path(stored["input"]["path"]), Path(stored["target"]["path"]) if stored["target"] else None


class Comparison(list[dict[str, Any]]):
    """Rows of a comparison, each ``name, bits, accuracy, esr, snr_db, stft, parameters, samples_per_second``.

    Of a network that gives numbers they have no ``bits`` and no ``accuracy``.

    ``pandas.DataFrame(comparison)`` makes a frame of them.

    Attributes
    ----------
    part : str
        ``test``: the held-out part of the training's recordings; or ``all`` of others.
    samples : int
        Samples judged.
    notes : list of str
        What is to be known of the recordings.
    drift : dict or None
        Of a network that predicts the next sample: its own audio over time.
    """

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["rows"])
        self.part: str = result["part"]
        self.samples: int = result["samples"]
        self.notes: list[str] = result["notes"]
        self.drift: dict[str, Any] | None = result.get("drift")

    def __repr__(self) -> str:
        from rich.console import Console

        from dl4j_bridge.terminal import tables

        console = Console(width=80, color_system=None, force_jupyter=False)
        with console.capture() as text:
            console.print(tables.comparison(self, self._title))
        return text.get().rstrip()

    def _repr_html_(self) -> str:
        from dl4j_bridge.report import page

        return f"<p>{self._title}</p>{page.table(self)}"

    @property
    def _title(self) -> str:
        from dl4j_bridge.terminal import tables

        return tables.judged(self.samples, self.part)


class Diagnosis(dict[str, Any]):
    """What was found: ``verdict`` (``ok`` or ``fault``), ``findings``, ``checks``, ``report`` (a page) and ``next``."""

    @property
    def ok(self) -> bool:
        """True if nothing keeps a network from learning this."""
        return bool(self["verdict"] == "ok")

    def __repr__(self) -> str:
        lines = [f"Diagnosis: {self['verdict']}"]
        lines += [f"  {f['code']} ({f['severity']}): {f['fix']}" for f in self["findings"]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        from dl4j_bridge.report import page

        rows = [{name: finding[name] for name in ("code", "severity", "fix")} for finding in self["findings"]]
        return f"<p>{escape(self['verdict'])}</p>{page.table(rows)}{page.table(self['checks'])}"


def _trained(job: training.Run, progress: bool | None, tensorboard: str | PathLike[str] | None) -> Run:
    from dl4j_bridge.report import run as run_report

    shown = _is_shown(progress)
    if shown:
        announce(job)
    folder = None if tensorboard is None else Path(tensorboard)
    with _if_wanted(shown, training_progress) as show, tensorboard_log.scalars(job, folder, show) as report:
        training.train(job, report)
    run_report.write(job)
    return Run(job.folder.path)


def _new_run(
    inputs: list[Recording], targets: list[Recording], out: Path | None, settings: TrainSettings
) -> training.Run:
    if not any(isinstance(x, np.ndarray) for x in (*inputs, *targets)):
        return training.new_run(
            [_path("input", x) for x in inputs], [_path("target", x) for x in targets], out, settings
        )
    folder = RunFolder(out or RunFolder.fresh_name(Path("array")))
    folder.check_free()
    if folder.recordings.exists():
        raise InputError(folder.recordings, "is there already", "wanted a new or an empty folder as out")
    with _removed_on_error(folder):
        rate = settings.data.rate
        sources = [_file(f"input-{n}", x, rate, folder.recordings) for n, x in enumerate(inputs, 1)]
        others = [_file(f"target-{n}", x, rate, folder.recordings) for n, x in enumerate(targets, 1)]
        return training.new_run(sources, others, folder.path, settings)


@contextmanager
def _removed_on_error(folder: RunFolder) -> Iterator[None]:
    """Make the folder for recordings; what cannot be trained leaves nothing behind."""
    new = folder.recordings if folder.path.exists() else folder.path
    folder.recordings.mkdir(parents=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _file(name: str, x: Recording, rate: int | None, folder: Path) -> Path:
    """Give the path of a recording; an array is written into `folder` first."""
    if not isinstance(x, np.ndarray):
        return _path(name, x)
    if rate is None:
        raise InputError("rate", f"not given, and {name} is an array", "wanted its rate in Hz, such as rate=44100")
    path = folder / f"{name}.wav"
    audio.write(path, [_mono(name, x)], rate, ARRAY_SUBTYPE)
    return path


def _path(name: str, x: Any) -> Path:
    if not isinstance(x, str | PathLike):
        raise InputError(name, f"of type {type(x).__name__}", "wanted a path or a NumPy array")
    return Path(x)


def _mono(name: str, x: npt.NDArray[Any]) -> Sound:
    """Refuse an array that is no mono sound."""
    if x.ndim != 1:
        raise InputError(name, f"an array of shape {x.shape}", "wanted one channel, shape (n,): x.mean(axis=1)")
    if x.dtype.kind != "f":
        raise InputError(name, f"an array of {x.dtype}", "wanted floats between -1 and 1: x / 32768 for 16 bits")
    if not x.size:
        raise InputError(name, "an array without samples", "wanted a recording")
    if not np.isfinite(x).all():
        raise InputError(name, f"sample {int(np.argmin(np.isfinite(x)))} is NaN or Inf", "wanted finite samples")
    return x


def _rate(given: int | None, own: int) -> int:
    """Check a rate; None stands for the network's own."""
    rate = _checked("rate", {"rate": given})
    return config.TrainSettings().with_options({"rate": own} | rate).data.rate or own


def _several(name: str, x: Recording | Sequence[Recording] | None) -> list[Recording]:
    if x is None:
        return []
    if isinstance(x, list | tuple):
        return list(x)
    if isinstance(x, np.ndarray):
        return [x]
    return [_path(name, x)]


def _checked(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check names and types of options; NumPy's numbers count as Python's, and None as not given."""
    known = {}
    for group in get_type_hints(TrainSettings).values():
        for name, hint in get_type_hints(group).items():
            kind = get_args(hint)[0] if isinstance(hint, UnionType) else hint
            known[name.replace("_", "-")] = toml_file.Option(name, kind)
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    return toml_file.checked(f"{function}()", {k: v for k, v in plain.items() if v is not None}, known)


def _is_shown(progress: bool | None) -> bool:
    return stderr.is_terminal or stderr.is_jupyter if progress is None else progress


def _if_wanted(
    progress: bool | None, shown: Callable[[], AbstractContextManager[Callable[P, None]]]
) -> AbstractContextManager[Callable[P, None]]:
    """Give the report that shows progress, or one that does not."""

    def silent(*args: P.args, **kwargs: P.kwargs) -> None:
        pass

    return shown() if _is_shown(progress) else nullcontext(silent)
