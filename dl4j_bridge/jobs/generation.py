"""Ties a model and a random seed together: new audio out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import tasks
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.config import GenerateSettings, validate_generate
from dl4j_bridge.signal import audio, metrics
from dl4j_bridge.signal.codec import SILENCE, DeEmphasis
from dl4j_bridge.tasks import steering
from dl4j_bridge.tasks.frames import FramesTask
from dl4j_bridge.tasks.samples import SamplesTask

# Audio that a temperature is judged by, how many are tried, and between which ones.
CALIBRATION_SAMPLES, CALIBRATION_TRIES = 24_576, 6
TEMPERATURES = (0.6, 1.5)


def generate(
    model: Path,
    output: Path,
    seconds: float,
    settings: GenerateSettings,
    prime: Path | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Draw new audio, each sample from the distribution that all before it led to.

    Parameters
    ----------
    model
        Run folder or model zip of a network that predicts the next sample.
    output
        The recording to write; it holds what was drawn, not the primer.
    seconds
        Its length.
    settings
        Temperature (None for the model's own), top-p and seed.
    prime
        A recording to hear first; without it, one silent sample.
    report
        Called with the samples done and all samples.

    Returns
    -------
    dict
        ``output, samples, rate, samples_per_second, real_time_factor, seed, temperature`` and ``notes``.
    """
    validate_generate(settings, seconds)
    zip_path = model_zip.resolve(model)
    about = model_zip.read_about(zip_path)
    check_generator(model, about)
    task, rate = tasks.from_dict(about), about["rate"]
    subtype = task.codec.subtype if isinstance(task, SamplesTask) else "PCM_16"
    audio.check_output(output, subtype)
    recording = audio.open_recording(prime) if prime else None
    notes = list(recording.notes) if recording else []
    heard = recording.read(rate, 0, recording.length_at(rate)) if recording else None
    jvm.configure(threads=1)
    blocks = new_audio(model_zip.load(zip_path), heard, str(prime), seconds, settings, report)
    began = time.perf_counter()
    count = audio.write(output, blocks, rate, subtype)
    elapsed = time.perf_counter() - began
    return {
        "output": str(output),
        "samples": count,
        "rate": rate,
        "samples_per_second": count / elapsed,
        "real_time_factor": count / rate / elapsed,
        "seed": settings.seed,
        "temperature": settings.temperature or temperature_of(about),
        "notes": notes,
    }


def check_generator(model: Path, about: dict[str, Any]) -> None:
    """Refuse a model that does not predict the next sample."""
    if about["predicts"] != "next":
        raise InputError(model, "turns an input into a target", "use it with: dl4j-bridge process")


def new_audio(
    model: model_zip.Model,
    heard: npt.NDArray[np.floating] | None,
    name: str,
    seconds: float,
    settings: GenerateSettings,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[npt.NDArray[np.floating]]:
    """Blocks of new audio at a model's rate, ``seconds`` long in all.

    Parameters
    ----------
    model
        Loaded; the JVM is running.
    heard : ndarray of float, shape (n,), or None
        What it hears first, at its rate; None is silence.
    name
        Of `heard`, for its error.
    seconds, settings, report
        As for `generate`.

    Raises
    ------
    InputError
        `heard` is shorter than a frame.
    """
    task = tasks.from_dict(model.about)
    if isinstance(task, FramesTask):
        sound = np.zeros(task.frame) if heard is None else heard
        if sound.size < task.frame:
            found = f"{sound.size} samples at {model.about['rate']} Hz"
            raise InputError(name, found, f"wanted {task.frame} or more: one frame")
        return feed_back(model, task.to_frames(sound), seconds, report)
    assert isinstance(task, SamplesTask)
    classes = np.array([task.silence], np.uint8) if heard is None else task.encoder().push(heard)
    return draw(model, classes, seconds, settings, report)


def draw(
    model: model_zip.Model,
    heard: npt.NDArray[np.uint8],
    seconds: float,
    settings: GenerateSettings,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[npt.NDArray[np.floating]]:
    """Let a loaded model hear some classes, then draw blocks of new audio at its rate, ``seconds`` long in all."""
    stream = model.network.stream()
    stream.seed(settings.seed)
    stream.consume(heard)
    total = max(round(seconds * model.about["rate"]), 1)
    task = SamplesTask.from_dict(model.about)
    de_emphasis = DeEmphasis(task.pre_emphasis)
    de_emphasis.push(task.codec.decode(heard))

    def decoded() -> Iterator[npt.NDArray[np.floating]]:
        done = 0
        for block in draw_classes(stream, model.about, total, settings):
            yield de_emphasis.push(task.codec.decode(block))
            done += block.size
            report(done, total)

    return decoded()


def draw_classes(
    stream: SampleStream, about: dict[str, Any], total: int, settings: GenerateSettings
) -> Iterator[npt.NDArray[np.uint8]]:
    """Draw `total` classes from a stream that has heard something; without a given temperature it is steered."""
    temperature = settings.temperature or temperature_of(about)
    wanted = about.get("sampling", {}).get("usual") if settings.steer and settings.temperature is None else None
    if wanted is None:
        for start in range(0, total, SampleStream.BLOCK):
            yield stream.generate(min(SampleStream.BLOCK, total - start), temperature, settings.top_p)
        return
    steered = steering.Steering(SamplesTask.from_dict(about), about["rate"], wanted, temperature)
    for start in range(0, total, steering.BLOCK):
        now, tilt = steered.next()
        block = stream.generate(min(steering.BLOCK, total - start), now, settings.top_p, tilt)
        steered.hear(block)
        yield block


def from_silence(
    stream: SampleStream, about: dict[str, Any], count: int, settings: GenerateSettings
) -> npt.NDArray[np.uint8]:
    """Draw `count` classes as `generate` does where nothing is heard first; the stream is reset."""
    stream.reset()
    stream.seed(settings.seed)
    stream.consume(np.array([SamplesTask.from_dict(about).silence], np.uint8))
    return np.concatenate(list(draw_classes(stream, about, count, settings)))


def feed_back(
    model: model_zip.Model,
    primer: npt.NDArray[np.float32],
    seconds: float,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[npt.NDArray[np.floating]]:
    """Let a model of frames hear some, shape (n, frame), then give its own predictions back to it, `seconds` long."""
    task = FramesTask.from_dict(model.about)
    stream = model.network.dense_stream()
    total, done = max(round(seconds * model.about["rate"]), 1), 0
    frame = stream.run(primer)[-1:]
    while done < total:
        samples = task.to_samples(frame)[: total - done]
        done += samples.size
        yield samples
        report(done, total)
        frame = stream.run(frame)


def temperature_of(about: dict[str, Any]) -> float:
    """The temperature that the end of training found; 1 for models that were made without."""
    return float(about.get("sampling", {}).get("temperature", 1.0))


def find_temperature(stream: SampleStream, heard: list[npt.NDArray[np.uint8]]) -> dict[str, float]:
    """Find the temperature at which a model's own audio is as unpredictable as what it was trained on.

    A model that is fed its own samples sees other contexts than in training, and settles where it is too calm or too
    loud. Order-1 entropy grows with the temperature, so bisection finds where it is right.

    Parameters
    ----------
    stream
        Of the model; it is reset.
    heard : list of ndarray of uint8
        The recordings of training.

    Returns
    -------
    dict
        ``temperature``, ``order_1_bits`` at it, and ``wanted_bits`` of the recordings.
    """
    size = min(CALIBRATION_SAMPLES, min(x.size for x in heard))
    pieces = [x[at : at + size] for x in heard for at in np.linspace(0, x.size - size, 4).astype(int)]
    wanted = float(np.mean([metrics.order_1_entropy_bits(piece) for piece in pieces]))
    low, high = TEMPERATURES
    tried = {}
    for _ in range(CALIBRATION_TRIES):
        temperature = math.sqrt(low * high)
        tried[temperature] = metrics.order_1_entropy_bits(own_audio(stream, size, temperature))
        low, high = (temperature, high) if tried[temperature] < wanted else (low, temperature)
    best = min(tried, key=lambda temperature: abs(tried[temperature] - wanted))
    return {"temperature": best, "order_1_bits": tried[best], "wanted_bits": wanted}


def own_audio(stream: SampleStream, size: int, temperature: float) -> npt.NDArray[np.uint8]:
    """Draw `size` samples from silence on, always the same ones; the stream is reset."""
    stream.reset()
    stream.seed(1)
    stream.consume(np.array([SILENCE], np.uint8))
    counts = [min(SampleStream.BLOCK, size - at) for at in range(0, size, SampleStream.BLOCK)]
    return np.concatenate([stream.generate(count, temperature, 1.0) for count in counts])
