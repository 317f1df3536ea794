"""Ties a model and a recording together: a recording in, the processed recording out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import tasks
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.streams import DenseStream, SampleStream
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.config import ProcessSettings, validate_process
from dl4j_bridge.signal import audio
from dl4j_bridge.tasks.frames import FramesTask
from dl4j_bridge.tasks.samples import SamplesTask, resolve_decode
from dl4j_bridge.tasks.spectrogram import SpectrogramTask

Blocks = Iterator[npt.NDArray[np.floating]]

# Samples handed over at a time where frames are processed.
FRAMES_BLOCK = 4096


def process(
    model: Path,
    source: Path,
    output: Path,
    settings: ProcessSettings,
    channel: int | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Run a recording of any length through a model.

    The state is carried from the first sample to the last, so there are no seams. The output has the input's rate and
    exactly its length. A delay that was cut out of the training pair is put back.

    Parameters
    ----------
    model
        Run folder or model zip of a network that maps an input to a target.
    source, output
        Recordings.
    settings
        How to decode, and how many samples to hand over at a time.
    channel
        Of the input, from 1; None mixes all down.
    report
        Called with the samples done and all samples.

    Returns
    -------
    dict
        ``output, samples, rate, samples_per_second, real_time_factor`` and ``notes``.
    """
    validate_process(settings)
    zip_path = model_zip.resolve(model)
    about = model_zip.read_about(zip_path)
    check_effect(model, about)
    task = tasks.from_dict(about)
    channel = channel or audio.channel_if_there(source, about["settings"]["data"]["channel"])
    recording = audio.open_recording(source, channel)
    subtype = _subtype(task, settings, recording, about["rate"])
    audio.check_output(output, subtype)
    jvm.configure(threads=1)
    loaded = model_zip.load(zip_path)
    rate = about["rate"]
    length = recording.length_at(rate)
    processed = _processed(loaded, recording.blocks(rate, settings.chunk), length, settings, report)
    began = time.perf_counter()
    blocks = audio.resampled(processed, rate, recording.rate, recording.frames)
    count = audio.write(output, blocks, recording.rate, subtype)
    seconds = time.perf_counter() - began
    notes = list(recording.notes)
    delays = sorted({pair["delay"] for pair in about["pairs"]})
    if len(delays) > 1:
        notes.append(f"{model}: trained with delays of {delays} samples; put back {about['pairs'][0]['delay']}")
    if rate != recording.rate:
        notes.append(f"{source}: {recording.rate} Hz, processed at the model's {rate} Hz")
    return {
        "output": str(output),
        "samples": count,
        "rate": recording.rate,
        "samples_per_second": length / seconds,
        "real_time_factor": count / recording.rate / seconds,
        "notes": notes,
    }


def process_samples(
    model: model_zip.Model,
    x: npt.NDArray[np.floating],
    rate: int,
    settings: ProcessSettings,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float32]:
    """Do what `process` does, with samples in memory.

    Parameters
    ----------
    model
        Loaded; the JVM is running.
    x : ndarray of float, shape (n,)
        Nominally -1 to 1.
    rate
        Of `x`, in Hz.
    settings, report
        As for `process`.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    validate_process(settings)
    own = model.about["rate"]
    length = audio.length_at(x.size, rate, own)
    processed = _processed(model, audio.resampled([x], rate, own, length), length, settings, report)
    return np.concatenate(list(audio.resampled(processed, own, rate, x.size)), dtype=np.float32)


def check_effect(model: Path, about: dict[str, Any]) -> None:
    """Refuse a model that turns no input into a target."""
    if about["predicts"] != "target":
        raise InputError(model, "predicts the next sample of its own kind", "use it with: dl4j-bridge generate")


def _processed(
    model: model_zip.Model,
    blocks: Blocks,
    length: int,
    settings: ProcessSettings,
    report: Callable[[int, int], None],
) -> Blocks:
    """Run blocks at the model's rate, `length` samples in all, through it; its delay is put back."""
    task = tasks.from_dict(model.about)
    if isinstance(task, SamplesTask):
        processed = _samples(task, model.network.stream(), blocks, settings)
    elif isinstance(task, SpectrogramTask):
        processed = _spectra(task, model.network.dense_stream(), blocks)
    else:
        assert isinstance(task, FramesTask)
        processed = _frames(task, model.network.dense_stream(), blocks)

    def reported() -> Blocks:
        done = 0
        for block in processed:
            done += block.size
            report(min(done, length), length)
            yield block

    return _delayed(reported(), model.about["pairs"][0]["delay"], length)


def _samples(task: SamplesTask, stream: SampleStream, blocks: Blocks, settings: ProcessSettings) -> Blocks:
    encoder, decoder = task.encoder(), task.decoder(settings.decode, settings.seed)
    for block in blocks:
        indices = encoder.push(block)
        for start in range(0, indices.size, settings.chunk):
            yield decoder.push(stream.run(indices[start : start + settings.chunk]))


def _frames(task: FramesTask, stream: DenseStream, blocks: Blocks) -> Blocks:
    """Always cuts alike, whatever blocks come: see `DenseStream`. The last frame is filled up with zeros."""
    size = task.frame * max(FRAMES_BLOCK // task.frame, 1)
    for block in _cut(blocks, size):
        filled = np.pad(block, (0, -block.size % task.frame))
        frames = task.scale.shrink(filled).reshape(-1, task.frame)
        yield task.to_samples(stream.run(frames))[: block.size]


def _spectra(task: SpectrogramTask, stream: DenseStream, blocks: Blocks) -> Blocks:
    """The stem's magnitudes, with the mixture's phase."""
    mixture = task.stft.spectra(blocks)
    return task.stft.samples(task.heard(spectra, stream.run(task.shrink(spectra))) for spectra in mixture)


def _cut(blocks: Blocks, size: int) -> Blocks:
    """The same samples in blocks of `size`, the last one shorter."""
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while held.size >= size:
            yield held[:size]
            held = held[size:]
    if held.size:
        yield held


def _subtype(task: tasks.Task, settings: ProcessSettings, recording: audio.Recording, rate: int) -> str:
    """Format of the output: 8 bits where they say all that there is to say."""
    if not isinstance(task, SamplesTask):
        return recording.subtype if recording.subtype in ("PCM_24", "PCM_32", "FLOAT") else "PCM_16"
    exact = resolve_decode(settings.decode) == "argmax" and rate == recording.rate and not task.pre_emphasis
    return task.codec.subtype if exact else "PCM_16"


def _delayed(blocks: Blocks, delay: int, length: int) -> Blocks:
    """Shift by `delay` samples, earlier if negative; zeros fill, and `length` samples come out in all."""
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
