"""Run several recordings through a model, which is loaded once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import soundfile

from dl4j_bridge.atomic_files import check_folder, check_output
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.jobs import ray_cluster
from dl4j_bridge.jobs.process import Report, check_effect, checked_output, open_input, process, rendered
from dl4j_bridge.jobs.process_on_cluster import process_on_cluster
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.model_zip import Model, OpenedModel
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.signal.recordings import Recording, recordings_of


def process_files(
    model: Path,
    inputs: list[Path],
    output: Path,
    settings: ProcessSettings,
    channel: int | None = None,
    report: Report = lambda done, total: None,
    cluster: str | None = None,
) -> dict[str, Any]:
    """Run recordings and folders of recordings through a model.

    Parameters
    ----------
    model, settings, channel, report
        As for `process`; the progress is that of all recordings together.
    inputs
        Recordings, and folders whose recordings are all meant, those in their subfolders too.
    output
        Recording to write; of several recordings, or of a folder, the folder to write them into by their names.
    cluster
        Address of a Ray cluster to run several recordings on; ``local`` is the cores of this machine. The progress then
        counts recordings.

    Returns
    -------
    dict
        Of one recording what `process` returns. Of several ``output, samples, samples_per_second, real_time_factor,
        notes``, and ``outputs``: what `process` returns for each, with ``input``; and ``failed``: ``input`` and
        ``error`` of each that could not be processed, which keeps none of the others from it.

    Raises
    ------
    InputError
        The model, the output or a setting cannot be used, or Ray is not installed. Nothing was written.
    """
    if cluster:
        ray_cluster.require("--cluster")
    if len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir():
        return process(model, inputs[0], output, settings, channel, report)
    settings.check()
    opened = model_zip.open_model(model)
    check_effect(model, opened.info)
    outputs = _outputs(inputs, output)
    for path in outputs.values():
        if path.exists():
            check_output(path, settings.overwrite, [*outputs, opened.path])
    if cluster:
        # Other machines have other current folders.
        there = {source.absolute(): path.absolute() for source, path in outputs.items()}
        found, failed = process_on_cluster(model.absolute(), there, settings, channel, report, cluster)
    else:
        found, failed = process_here(opened, model, outputs, settings, channel, report)
    return {"output": str(output), **_together(found), "outputs": found, "failed": failed}


def process_here(
    opened: OpenedModel,
    model: Path,
    outputs: dict[Path, Path],
    settings: ProcessSettings,
    channel: int | None,
    report: Report = lambda done, total: None,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run recordings through an opened model, called `model`, in this process.

    Parameters
    ----------
    opened, model, settings, channel, report
        As for `process_files`.
    outputs
        The file to write for each recording.

    Returns
    -------
    list of dict, list of dict
        Results of `process`, with ``input``; and ``input`` and ``error`` of each that failed.
    """
    jobs, failed = [], []
    for source, path in outputs.items():
        try:
            recording = open_input(source, channel, opened.info)
            path.parent.mkdir(parents=True, exist_ok=True)
            jobs.append((recording, path, checked_output(path, recording, opened, settings, list(outputs))))
        except (BridgeError, OSError) as e:
            failed.append({"input": str(source), "error": str(e)})
    found, others = _rendered(opened.load(), model, jobs, settings, report) if jobs else ([], [])
    return found, failed + others


def _rendered(
    loaded: Model, model: Path, jobs: list[tuple[Recording, Path, str]], settings: ProcessSettings, report: Report
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run open recordings through a loaded model; returns results, and errors."""
    rate, done, found, failed = loaded.info.rate, 0, [], []
    total = sum(recording.length_at(rate) for recording, _, _ in jobs)

    def report_all(samples: int, of_one: int) -> None:
        report(done + samples, total)

    for recording, path, subtype in jobs:
        try:
            result = rendered(loaded, model, recording, path, subtype, settings, report_all)
            found.append({"input": str(recording.path), **result})
        except (BridgeError, OSError) as e:
            failed.append({"input": str(recording.path), "error": str(e)})
        done += recording.length_at(rate)
        report(done, total)
    return found, failed


def _outputs(inputs: list[Path], folder: Path) -> dict[Path, Path]:
    """The file to write for each recording: its name, below a folder that was given its place in that too."""
    if not folder.exists() and _can_be_written(folder):
        raise InputError("--output", f"{folder} for several recordings", "wanted a folder to write them into")
    check_folder(folder)
    places = [
        (file, file.relative_to(source) if source.is_dir() else Path(file.name))
        for source in inputs
        for file in recordings_of([source])
        if not _was_written(file, folder, source)
    ]
    found: dict[Path, Path] = {}
    sources: dict[Path, Path] = {}
    for source, place in places:
        path = folder / (place if _can_be_written(place) else place.with_suffix(".wav"))
        if path in sources:
            wanted = "wanted different names, or a command for each"
            raise InputError("--input", f"{sources[path]} and {source} would both become {path}", wanted)
        found[source], sources[path] = path, source
    return found


def _was_written(file: Path, folder: Path, source: Path) -> bool:
    """Whether a recording of the folder `source` is in the output folder, which is a part of it."""
    inside = folder.absolute()
    return source.is_dir() and source.absolute() in inside.parents and inside in file.absolute().parents


def _can_be_written(path: Path) -> bool:
    """Whether libsndfile writes files with this ending."""
    return path.suffix.lstrip(".").upper() in set(soundfile.available_formats()) - {"RAW", "SD2"}


def _together(results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Samples, speed and notes of several results of `process` as one."""
    seconds = rendering = computed = 0.0
    samples, notes = 0, []
    for result in results:
        own = result["samples"] / result["rate"]
        samples, seconds = samples + result["samples"], seconds + own
        took = own / result["real_time_factor"]
        rendering, computed = rendering + took, computed + took * result["samples_per_second"]
        notes += result["notes"]
    return {
        "samples": samples,
        "samples_per_second": computed / rendering if rendering else 0.0,
        "real_time_factor": seconds / rendering if rendering else 0.0,
        "notes": list(dict.fromkeys(notes)),
    }
