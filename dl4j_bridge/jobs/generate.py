"""Generate new audio from a model."""

from pathlib import Path
from typing import Any

from dl4j_bridge.atomic_files import check_output
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.process import Report, reported, written
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.info import ModelInfo
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.settings.commands import GenerateSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks.interface import Blocks, Samples


def generate(
    model: Path,
    output: Path,
    settings: GenerateSettings,
    prime: Path | None = None,
    report: Report = lambda done, total: None,
) -> dict[str, Any]:
    """Generate audio, each time step from all that came before.

    Parameters
    ----------
    model
        Run folder or model zip of a network that predicts the next sample.
    output
        Recording to write; it holds what was generated, not the primer.
    settings
        Length, temperature (None for the model's own), top-p, seed and steering.
    prime
        Recording that the network consumes first; None for silence.
    report
        Called with the number of samples done and in all.

    Returns
    -------
    dict
        ``output, samples, rate, samples_per_second, real_time_factor, seed, temperature`` and ``notes``.

    Raises
    ------
    InputError
        The model, the primer or the output cannot be used.
    """
    settings.check()
    opened = model_zip.open_model(model)
    check_generator(model, opened.info)
    task, rate = opened.info.task, opened.info.rate
    check_output(output, settings.overwrite, [opened.path, *([prime] if prime else [])])
    subtype = task.output_subtype(None, rate, None)
    audio_files.check_size(output, max(round(settings.seconds * rate), 1), rate, subtype)
    recording = open_recording(prime) if prime else None
    primer = recording.read(rate, 0, recording.length_at(rate)) if recording else None
    blocks = new_audio(opened.load(), primer, str(prime), settings, report)
    return written(output, blocks, rate, subtype, rate) | {
        "seed": settings.seed,
        "temperature": settings.temperature or task.temperature,
        "notes": list(recording.notes) if recording else [],
    }


def check_generator(model: Path, info: ModelInfo) -> None:
    """Refuse a model that does not predict the next sample."""
    if info.predicts != "next":
        raise InputError(model, "turns an input into a target", "use it with: dl4j-bridge process")


def new_audio(
    model: Model,
    primer: Samples | None,
    name: str,
    settings: GenerateSettings,
    report: Report = lambda done, total: None,
) -> Blocks:
    """Blocks of new audio at a model's rate.

    Parameters
    ----------
    model
        A loaded model.
    primer : ndarray of float, shape (n,), or None
        Samples at the model's rate that the network consumes first; None for silence.
    name
        Name of the primer, for its error.
    settings, report
        As for `generate`.

    Raises
    ------
    InputError
        The primer is too short.
    """
    task, rate = model.info.task, model.info.rate
    if primer is not None and primer.size < task.hop:
        found = f"{primer.size} samples at {rate} Hz"
        raise InputError(name, found, f"wanted {task.hop} or more: one frame")
    count = max(round(settings.seconds * rate), 1)
    return reported(task.generate(model.network, rate, count, settings, primer), count, report)
