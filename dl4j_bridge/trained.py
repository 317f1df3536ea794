"""A trained network in Python: process, generate, compare, resume, plot."""

from __future__ import annotations

from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.arguments import checked, checked_rate
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs import compare, export, generate, process
from dl4j_bridge.jobs.resumed_run import resumed_run
from dl4j_bridge.jobs.stream import Stream
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.commands import CompareSettings, ExportSettings, GenerateSettings, ProcessSettings
from dl4j_bridge.signal.arrays import Sound, Source, as_file, as_path, mono
from dl4j_bridge.signal.recordings import channel_if_there, open_recording
from dl4j_bridge.signal.resampling import length_at, resampled
from dl4j_bridge.terminal.notebook import Comparison
from dl4j_bridge.terminal.progress import if_wanted, samples_progress
from dl4j_bridge.with_report import Watching, train_and_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        All metadata of the model file: codec, rate, recordings, settings, versions.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = as_path("path", path)
        self._opened = model_zip.open_model(self.path)
        self._info = self._opened.info
        self.about = self._info.as_dict()

    def __repr__(self) -> str:
        kind = "input to target" if self._info.predicts == "target" else "next sample"
        trained = "adopted" if self._info.steps is None else f"{self._info.steps} steps"
        return f"Run({fspath(self.path)!r}): {kind}, {self.rate} Hz, {trained}"

    @property
    def rate(self) -> int:
        """Sample rate of the network, in Hz."""
        return self._info.rate

    @property
    def result(self) -> dict[str, Any]:
        """What the training ended with: ``steps, epochs, samples_per_second, valid, stopped_because``, ...

        Raises
        ------
        InputError
            There is no run folder, as with a model zip alone, or it is still in training.
        """
        stored = RunFolder(self.path).read_run()
        if "result" not in stored:
            raise InputError(self.path, f"a run that is {stored.get('status')}", "wanted one that has ended")
        return dict(stored["result"])

    def get_params(self) -> dict[str, Any]:
        """All options of the training by name, as `train` takes them.

        Returns
        -------
        dict
            Such as ``{"hidden": 200, "learning_rate": 0.01, ...}``.
        """
        return self._info.settings.as_options()

    def process(
        self,
        x: Source,
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
            Mono, between -1 and 1; a recording may also be stereo, which is mixed down.
        rate
            Rate of an array, in Hz; the network's own if not given. A recording has one of its own.
        decode
            How a distribution becomes a sample: ``mean``, ``argmax`` or ``sample``; ``auto`` is mean.
        seed
            Random seed of ``sample``.
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
        process.check_effect(self.path, self._info)
        sound, own = self._read("x", x, rate)
        settings = ProcessSettings(decode=decode, seed=seed)
        with if_wanted(progress, lambda: samples_progress("process")) as report:
            return process.process_samples(self._model, sound, own, settings, report)

    def stream(self, *, decode: str = ProcessSettings.decode, seed: int = ProcessSettings.seed) -> Stream:
        """Begin to run sound through the network while it arrives, as in a live effect.

        Parameters
        ----------
        decode, seed
            As for `process`.

        Returns
        -------
        Stream
            ``process`` takes blocks of any size and returns as many samples, late by ``latency`` samples.

        Raises
        ------
        InputError
            The model predicts the next sample.

        Examples
        --------
        >>> import dl4j_bridge
        >>> with dl4j_bridge.load("amp").stream() as stream:
        ...     y = [stream.process(block) for block in np.split(np.zeros(1000), [64, 192])]
        >>> [block.size for block in y], stream.latency
        ([64, 128, 808], 0)
        """
        process.check_effect(self.path, self._info)
        return Stream(self._model, ProcessSettings(decode=decode, seed=seed))

    @property
    def dl4j(self) -> Any:
        """The network in Java: a pyjnius object of DL4J's ``MultiLayerNetwork``, with the layers of the training.

        What your code changes in it changes this run in memory, not its files.

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("amp").dl4j.numParams()
        24032
        """
        return self._model.network.dl4j

    def generate(
        self,
        seconds: float = GenerateSettings.seconds,
        seed: int = GenerateSettings.seed,
        *,
        temperature: float | None = None,
        top_p: float = GenerateSettings.top_p,
        prime: Source | None = None,
        steer: bool = GenerateSettings.steer,
        progress: bool | None = None,
    ) -> npt.NDArray[np.float32]:
        """Generate new audio from a network that predicts the next sample.

        Parameters
        ----------
        seconds
            Length of the new audio.
        seed
            Random seed; the same seed gives the same samples.
        temperature
            Sampling temperature; None is the one that training found.
        top_p
            Sample only from the most probable classes of this total probability.
        prime : path or ndarray of float, shape (n,)
            A recording that the network consumes first; an array has the network's rate.
        steer
            Hold level and entropy near those of the recordings, unless a temperature is given.
        progress
            False shows none; otherwise it is shown on a terminal.

        Returns
        -------
        ndarray of float32, shape (round(seconds * run.rate),)
            At the network's rate.

        Raises
        ------
        InputError
            An option is out of range, or the model turns an input into a target.

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("voice").generate(0.1, seed=7).shape
        (1102,)
        """
        generate.check_generator(self.path, self._info)
        settings = GenerateSettings(seconds=seconds, temperature=temperature, top_p=top_p, seed=seed, steer=steer)
        settings.check()
        primer = None
        if prime is not None:
            sound, own = self._read("prime", prime, None)
            length = length_at(sound.size, own, self.rate)
            primer = np.concatenate(list(resampled([sound], own, self.rate, length)))
        with if_wanted(progress, lambda: samples_progress("generate")) as report:
            blocks = generate.new_audio(self._model, primer, "prime", settings, report)
            return np.concatenate(list(blocks), dtype=np.float32)

    def export(self, format: str, output: str | PathLike[str], **options: Any) -> dict[str, Any]:
        """Write the model for another program, and compare what was written with the network.

        Parameters
        ----------
        format
            ``onnx``, ``nam``, ``rtneural``, ``proteus`` or ``dl4j``.
        output
            File to write.
        **options
            The other options of ``dl4j-bridge export``, such as ``name="My amp"`` or ``overwrite=True``.

        Returns
        -------
        dict
            ``output, format, bytes``, and of all formats but ``dl4j`` how the file's output differs from the
            network's: ``difference`` (the largest of a sample), ``esr``, ``samples``, and ``compared`` (the signal).

        Raises
        ------
        InputError
            The format has no place for the model, or the file cannot be written.
        BridgeError
            The file would compute something else than the network. Nothing was written.

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("amp").export("dl4j", "amp.zip")["output"]
        'amp.zip'
        """
        return export.export(self.path, format, as_path("output", output), ExportSettings(**options))

    def compare(
        self,
        input: Source | None = None,
        target: Source | None = None,
        *,
        rate: int | None = None,
        pytorch: bool = False,
        progress: bool | None = None,
    ) -> Comparison:
        """Evaluate the network and the pure-Python baselines on the same samples.

        Parameters
        ----------
        input, target : path or ndarray of float, shape (n,)
            If not given, the (first) pair of the training, with its held-out test part only; of any other pair all of
            it is evaluated.
        rate
            Rate of arrays, in Hz; the network's own if not given.
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
            input, target = compare.recordings_of_training(self.path, self._info)
        settings = CompareSettings(pytorch=pytorch)
        rate = checked_rate(rate, self.rate)
        with TemporaryDirectory() as folder, if_wanted(progress, lambda: samples_progress("compare")) as report:
            source = as_file("input", input, rate, Path(folder))
            other = None if target is None else as_file("target", target, rate, Path(folder))
            return Comparison(compare.compare(self.path, source, other, settings, report))

    def resume(
        self,
        *,
        progress: bool | None = None,
        tensorboard: str | PathLike[str] | None = None,
        mlflow: str | PathLike[str] | None = None,
        live: bool = False,
        report: bool = True,
        **limits: Any,
    ) -> Run:
        """Resume training where the run stopped.

        Parameters
        ----------
        progress, tensorboard, mlflow, live, report
            As for `train`.
        **limits
            New limits: ``steps``, ``epochs`` and ``minutes`` count from the start of the run; ``patience``,
            ``min_gain`` and ``threads`` may change too.

        Returns
        -------
        Run

        Raises
        ------
        InputError
            A recording of the run is gone or is another one now.
        """
        watching = Watching(progress, tensorboard, mlflow, live, report).checked()
        return Run(train_and_report(resumed_run(self.path, checked("resume", limits), [], []), watching)["run"])

    def curves(self) -> dict[str, npt.NDArray[np.float64]]:
        """The log of the training.

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
        from dl4j_bridge.report.charts import columns_of

        return dict(columns_of(RunFolder(self.path).read_log()))

    def plot(self) -> Figure:
        """Plot the loss over steps, of training and validation.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it by itself.

        Examples
        --------
        >>> import dl4j_bridge
        >>> dl4j_bridge.load("amp").plot().savefig("loss.png")
        """
        from dl4j_bridge.report import charts

        task = self._info.task
        curve = charts.curve_of(task.training_metrics[0], f"valid_{task.validation_metrics[0]}")
        return charts.curve_figure(curve, self.curves())

    @cached_property
    def _model(self) -> model_zip.Model:
        return self._opened.load()

    def _read(self, name: str, x: Source, rate: int | None) -> tuple[Sound, int]:
        """Samples and their rate."""
        if isinstance(x, np.ndarray):
            return mono(name, x), checked_rate(rate, self.rate)
        path = as_path(name, x)
        recording = open_recording(path, channel_if_there(path, self._info.settings.data.channel), may_be_silent=True)
        return recording.read(recording.rate), recording.rate
