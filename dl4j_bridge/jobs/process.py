"""Run a recording through a model."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.atomic_files import check_output
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.info import ModelInfo
from dl4j_bridge.model.model_zip import Model, OpenedModel
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.settings.training import cores
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.recordings import Recording, channel_if_there, open_recording
from dl4j_bridge.signal.resampling import length_at, resampled
from dl4j_bridge.tasks.interface import Blocks, Samples

Report = Callable[[int, int], None]


def process(
    model: Path,
    source: Path,
    output: Path,
    settings: ProcessSettings,
    channel: int | None = None,
    report: Report = lambda done, total: None,
) -> dict[str, Any]:
    """Run a recording of any length through a model.

    The state is carried from the first sample to the last, so there are no seams. The output has the input's rate and
    exactly its length. A delay that was cut out of the training pair is put back.

    Parameters
    ----------
    model
        Run folder or model zip of a network that maps an input to a target.
    source, output
        Recordings to read and to write.
    settings
        How to decode, and how many samples to hand over at a time.
    channel
        Channel of the input, from 1; None is the one that the model was trained with, or a mix of all.
    report
        Called with the number of samples done and in all.

    Returns
    -------
    dict
        ``output, samples, rate, samples_per_second, real_time_factor`` and ``notes``.

    Raises
    ------
    InputError
        The model, the recording or the output cannot be used.
    """
    settings.check()
    opened = model_zip.open_model(model)
    check_effect(model, opened.info)
    recording = open_input(source, channel, opened.info)
    subtype = checked_output(output, recording, opened, settings, [source])
    return rendered(opened.load(), model, recording, output, subtype, settings, report)


def open_input(source: Path, channel: int | None, info: ModelInfo) -> Recording:
    """Open a recording with the channel that was asked for, or that of the training if it has one."""
    channel = channel or channel_if_there(source, info.settings.data.channel)
    return open_recording(source, channel, may_be_silent=True)


def checked_output(
    output: Path, recording: Recording, opened: OpenedModel, settings: ProcessSettings, inputs: list[Path]
) -> str:
    """The sample format for an output, after checking that it can be written and replaces nothing unasked."""
    check_output(output, settings.overwrite, [*inputs, opened.path])
    subtype = opened.info.task.output_subtype(recording, opened.info.rate, settings)
    audio_files.check_output(output, subtype)
    return subtype


def rendered(
    model: Model,
    name: Path,
    recording: Recording,
    output: Path,
    subtype: str,
    settings: ProcessSettings,
    report: Report,
) -> dict[str, Any]:
    """Run an open recording through a loaded model, called `name`, and write it; returns what `process` does."""
    info, rate = model.info, model.info.rate
    length = recording.length_at(rate)
    processed = _processed(model, recording.blocks(rate, settings.chunk), length, settings, report)
    blocks = resampled(processed, rate, recording.rate, recording.frames)
    notes = list(recording.notes)
    delays = sorted({pair.delay for pair in info.pairs})
    if len(delays) > 1:
        notes.append(f"{name}: trained with delays of {delays} samples; put back {info.delay}")
    if rate != recording.rate:
        notes.append(f"{recording.path}: {recording.rate} Hz, processed at the model's {rate} Hz")
    return written(output, blocks, recording.rate, subtype, rate) | {"notes": notes}


def written(output: Path, blocks: Blocks, rate: int, subtype: str, network_rate: int) -> dict[str, Any]:
    """Write a recording of `rate` that a network of `network_rate` makes; returns what was written, and how fast."""
    began = time.perf_counter()
    count = audio_files.write(output, blocks, rate, subtype)
    seconds = time.perf_counter() - began
    return {
        "output": str(output),
        "samples": count,
        "rate": rate,
        "samples_per_second": length_at(count, rate, network_rate) / seconds,
        "real_time_factor": count / rate / seconds,
    }


def process_samples(
    model: Model, x: Samples, rate: int, settings: ProcessSettings, report: Report = lambda done, total: None
) -> npt.NDArray[np.float32]:
    """Do what `process` does, with samples in memory.

    Parameters
    ----------
    model
        A loaded model.
    x : ndarray of float, shape (n,)
        Nominally -1 to 1.
    rate
        Rate of `x`, in Hz.
    settings, report
        As for `process`.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    settings.check()
    own = model.info.rate
    length = length_at(x.size, rate, own)
    processed = _processed(model, resampled([x], rate, own, length), length, settings, report)
    return np.concatenate(list(resampled(processed, own, rate, x.size)), dtype=np.float32)


def check_effect(model: Path, info: ModelInfo) -> None:
    """Refuse a model that turns no input into a target."""
    if info.predicts != "target":
        raise InputError(model, "predicts the next sample of its own kind", "use it with: dl4j-bridge generate")


def _processed(model: Model, blocks: Blocks, length: int, settings: ProcessSettings, report: Report) -> Blocks:
    """Run blocks at the model's rate, `length` samples in all, through it; its delay is put back."""
    jvm.configure(min(cores(), model.info.settings.network.layers + 1))
    processed = model.info.task.process(model.network, cut(blocks, settings.chunk), settings)
    return _delayed(reported(processed, length, report), model.info.delay, length)


def cut(blocks: Blocks, size: int) -> Blocks:
    """The same samples in blocks of at most `size`."""
    for block in blocks:
        for start in range(0, block.size, size):
            yield block[start : start + size]


def reported(blocks: Blocks, total: int, report: Report) -> Blocks:
    """The same blocks; the number of samples so far is reported."""
    done = 0
    for block in blocks:
        done += block.size
        report(min(done, total), total)
        yield block


def _delayed(blocks: Blocks, delay: int, length: int) -> Blocks:
    """Shift by `delay` samples, earlier if negative; zeros fill up to `length` samples in all."""
    if delay > 0:
        yield np.zeros(min(delay, length))
    left, skip = length - max(delay, 0), max(-delay, 0)
    for block in blocks:
        kept = block[skip:][: max(left, 0)]
        skip = max(skip - block.size, 0)
        left -= kept.size
        yield kept
    if left > 0:
        yield np.zeros(left)
