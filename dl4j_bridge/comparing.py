"""Ties a model, a pair and the baselines together: is the network worth it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import audio, baselines, jvm, metrics, modelfile, pairs, training
from dl4j_bridge.baselines import Baseline
from dl4j_bridge.codec import DeEmphasis
from dl4j_bridge.config import DataSettings
from dl4j_bridge.errors import InputError
from dl4j_bridge.network import SampleStream
from dl4j_bridge.tasks.samples import SamplesTask

Indices = npt.NDArray[np.uint8]


def compare(
    model: Path,
    source: Path,
    target: Path | None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Judge a model and the baselines on the same samples.

    On the recordings that the model was trained with only their held-out test part counts; on any other pair all of
    it. The baselines were fitted on the training part when the model was trained.

    Parameters
    ----------
    model
        Run folder or model zip.
    source, target
        Recordings; no target for a model that predicts the next sample.
    report
        Called with the samples done and all samples.

    Returns
    -------
    dict
        ``rows`` (each ``name, bits, accuracy, esr, snr_db``; bits is None where there is no distribution), ``part``
        (``test`` or ``all``), ``samples`` and ``notes``.
    """
    zip_path = modelfile.resolve(model)
    about = modelfile.read_about(zip_path)
    if (about["predicts"] == "next") != (target is None):
        wanted = "no --target: it predicts the next sample" if target else "a --target: it turns an input into a target"
        raise InputError(model, "a model of another kind than the call", f"wanted {wanted}")
    task = SamplesTask.from_dict(about)
    trained = _pair_of_training(about, source, target)
    channel = about["settings"]["data"]["channel"]
    for path in (source, target):
        channel = audio.channel_if_there(path, channel) if path else channel
    delay = (trained or about["pairs"][0])["delay"]
    pair = pairs.open_pair(source, target, DataSettings(about["rate"], channel, align=str(delay)))
    x, y = training.signals_of(task, pair)
    start, end = (trained["split"]["test"]) if trained else (0, y.size)
    if trained is None and y.size < 2:
        raise InputError(source, "too short", "wanted a longer recording")
    jvm.start()
    loaded = modelfile.load(zip_path)
    total = (end - start) * (1 + len(baselines.ALL))
    rows, done = [], 0

    def counted(blocks: Iterator[Any]) -> Iterator[Any]:
        nonlocal done
        at = 0
        for block in blocks:
            yield block
            at += SampleStream.BLOCK
            report(min(done + at, total), total)
        done += end - start

    stream = loaded.network.stream()
    rows.append({"name": "model", **task.measure(counted(training.run_through(stream, x, start, end)), y[start:end])})
    for kind in baselines.ALL:
        baseline = kind(task.codec)
        prefix = f"{baseline.name}/"
        kept = {k.removeprefix(prefix): v for k, v in loaded.baselines.items() if k.startswith(prefix)}
        if not kept and kind is not baselines.Copy:
            continue  # the model was trained before there was this baseline
        baseline.restore(kept)
        rows.append({"name": baseline.name, **_score(task, baseline, x, y, start, end, counted)})
    return {"rows": rows, "part": "test" if trained else "all", "samples": end - start, "notes": list(pair.notes)}


def _pair_of_training(about: dict[str, Any], source: Path, target: Path | None) -> dict[str, Any] | None:
    """What the model file says of these recordings, if it was trained with them."""
    hashes = (audio.sha256(source), audio.sha256(target) if target else None)
    for stored in about["pairs"]:
        if (stored["input"]["sha256"], stored["target"]["sha256"] if stored["target"] else None) == hashes:
            return dict(stored)
    return None


def _score(
    task: SamplesTask,
    baseline: Baseline,
    x: Indices,
    y: Indices,
    start: int,
    end: int,
    counted: Callable[[Iterator[Any]], Iterator[Any]],
) -> dict[str, float | None]:
    nats: float | None = 0.0
    sound, classes = [], []
    de_emphasis = DeEmphasis(task.pre_emphasis)
    for at in counted(iter(range(start, end, SampleStream.BLOCK))):
        stop = min(at + SampleStream.BLOCK, end)
        said = baseline.predict(x[max(at - baseline.memory, 0) : stop])
        size = stop - at
        sound.append(de_emphasis.push(said.values[-size:]))
        classes.append(said.classes[-size:])
        if said.probabilities is None or nats is None:
            nats = None
        else:
            nats += metrics.cross_entropy_sum(said.probabilities[-size:], y[at:stop])
    return task.score(np.concatenate(sound), np.concatenate(classes), nats, y[start:end])
