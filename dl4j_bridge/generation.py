"""Ties a model and a random seed together: new audio out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import audio, jvm, modelfile
from dl4j_bridge.codec import DeEmphasis
from dl4j_bridge.config import GenerateSettings, validate_generate
from dl4j_bridge.errors import InputError
from dl4j_bridge.network import SampleStream
from dl4j_bridge.tasks.samples import SamplesTask


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
        Temperature, top-p and seed.
    prime
        A recording to hear first; without it, one silent sample.
    report
        Called with the samples done and all samples.

    Returns
    -------
    dict
        ``output, samples, rate, samples_per_second, real_time_factor, seed`` and ``notes``.
    """
    validate_generate(settings, seconds)
    zip_path = modelfile.resolve(model)
    about = modelfile.read_about(zip_path)
    if about["predicts"] != "next":
        raise InputError(model, "turns an input into a target", "use it with: dl4j-bridge process")
    task, rate = SamplesTask.from_dict(about), about["rate"]
    audio.check_output(output, task.codec.subtype)
    heard = np.array([task.silence], np.uint8)
    notes: list[str] = []
    if prime is not None:
        recording = audio.open_recording(prime)
        heard = task.encode(recording, rate)
        notes += recording.notes
    jvm.start()
    stream = modelfile.load(zip_path).network.stream()
    stream.seed(settings.seed)
    stream.listen(heard)
    total = max(round(seconds * rate), 1)
    began = time.perf_counter()
    count = audio.write(output, _drawn(stream, task, heard, total, settings, report), rate, task.codec.subtype)
    elapsed = time.perf_counter() - began
    return {
        "output": str(output),
        "samples": count,
        "rate": rate,
        "samples_per_second": count / elapsed,
        "real_time_factor": count / rate / elapsed,
        "seed": settings.seed,
        "notes": notes,
    }


def _drawn(
    stream: SampleStream,
    task: SamplesTask,
    heard: npt.NDArray[np.uint8],
    total: int,
    settings: GenerateSettings,
    report: Callable[[int, int], None],
) -> Iterator[npt.NDArray[np.floating]]:
    de_emphasis = DeEmphasis(task.pre_emphasis)
    de_emphasis.push(task.codec.decode(heard))
    for start in range(0, total, SampleStream.BLOCK):
        count = min(SampleStream.BLOCK, total - start)
        yield de_emphasis.push(task.codec.decode(stream.generate(count, settings.temperature, settings.top_p)))
        report(start + count, total)
