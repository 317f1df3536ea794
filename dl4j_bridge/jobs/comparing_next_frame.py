"""Ties a model of next frames, a recording and what does without a network together: is the network worth it?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs import generation, training
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.config import CompareSettings
from dl4j_bridge.signal import audio
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.frames import FramesTask, Vectors

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Predict = Callable[[], Vectors]


class LinearPrediction:
    """The best linear guess at a whole frame from the samples before it (Wiener, 1949).

    The weights follow from the autocorrelation of the training part; the normal equations are Toeplitz and are solved
    by Levinson's recursion (`scipy.linalg.solve_toeplitz`), with a little of a ridge.

    Parameters
    ----------
    learnt : ndarray of float, shape (n,)
        Samples of the training part.
    frame
        Samples to predict.
    """

    ORDER = 512
    RIDGE = 1e-4

    def __init__(self, learnt: npt.NDArray[np.floating], frame: int) -> None:
        from scipy.linalg import solve_toeplitz
        from scipy.signal import correlate

        self._mean = float(learnt.mean(dtype=np.float64))
        x = learnt.astype(np.float64) - self._mean
        lags = correlate(x, x, method="fft")[x.size - 1 :] / x.size
        lags = np.pad(lags, (0, max(self.ORDER + frame - lags.size, 0)))
        # Column j: what the sample j behind the last one has to do with each of those heard.
        cross = np.lib.stride_tricks.sliding_window_view(lags[1 : self.ORDER + frame], frame)
        diagonal = lags[0] * (1 + self.RIDGE) + 1e-12
        self._weights = np.asarray(solve_toeplitz(np.concatenate([[diagonal], lags[1 : self.ORDER]]), cross))

    @property
    def parameters(self) -> int:
        return self._weights.size + 1

    def predict(self, heard: npt.NDArray[np.floating], frames: int) -> Floats:
        """Give the last `frames` frames behind those heard, each from the samples before it.

        Parameters
        ----------
        heard : ndarray of float, shape (n,)
            All samples up to the last frame to predict, which is not among them.
        frames
            How many.

        Returns
        -------
        ndarray of float64, shape (frames, frame)
        """
        frame = self._weights.shape[1]
        padded = np.concatenate([np.zeros(self.ORDER), heard.astype(np.float64) - self._mean])
        ends = padded.size - frame * np.arange(frames)[::-1]
        latest_first = np.stack([padded[end - self.ORDER : end][::-1] for end in ends])
        return np.asarray(latest_first @ self._weights + self._mean)


def compare(
    zip_path: Path,
    about: dict[str, Any],
    pair: Pair,
    settings: CompareSettings,
    report: Callable[[int, int], None],
    out: Path | None,
) -> dict[str, Any]:
    """Judge a model of next frames on the held-out part of a recording, and let it feed on its own output.

    Parameters
    ----------
    zip_path
        The model.
    about
        What it says of itself.
    pair
        A recording, opened with its rate. What is no network learns from its training part, whether or not the model
        did.
    settings, out
        As for `comparing.compare`; all is checked.
    report
        Called with the rows done and all rows.

    Returns
    -------
    dict
        ``rows`` (each ``name, mse, esr, snr_db, parameters, samples_per_second``), ``part``, ``samples``, ``notes``,
        ``wavs``, ``plot`` and ``report`` as `comparing.compare` has them, and ``drift``: what `drift.measure` gives,
        ``until`` (`drift.until`: in seconds, None if it stayed) and ``seconds`` (how long it was followed).
    """
    task, rate = FramesTask.from_dict(about), about["rate"]
    x, y = task.signals(pair)
    where = training.part_of(len(y), "test")
    learnt = task.to_samples(training.part((x, y), "train")[0])
    if where.stop == where.start or not learnt.size:
        wanted = f"wanted {20 * task.frame} or more: frames of {task.frame} for every part"
        raise InputError(pair.input.path, f"{pair.length} samples at {rate} Hz", wanted)
    jvm.configure(threads=1)
    loaded = model_zip.load(zip_path)
    begin = max(where.start - training.WARM_UP, 0)
    linear = LinearPrediction(learnt, task.frame)
    heard, count = task.to_samples(x[: where.stop]), where.stop - where.start
    rivals: dict[str, tuple[int, Predict]] = {
        "model": (
            loaded.network.parameter_count,
            lambda: loaded.network.dense_stream().run(x[begin : where.stop])[where.start - begin :],
        ),
        "copy": (0, lambda: x[where]),
        "mean": (1, lambda: np.full_like(y[where], task.scale.shrink(learnt).mean())),
        "linear": (linear.parameters, lambda: task.scale.shrink(linear.predict(heard, count))),
    }
    rows: list[Row] = []
    sounds = {"target": task.to_samples(y[where])}
    for name, (parameters, predict) in rivals.items():
        began = time.perf_counter()
        said = predict()
        seconds = time.perf_counter() - began
        sounds[name] = task.to_samples(said)
        measured = task.measure([said], y[where])
        speed = sounds[name].size / seconds
        rows.append({"name": name, **measured, "parameters": parameters, "samples_per_second": speed})
        report(len(rows), len(rivals))
    result: dict[str, Any] = {
        "rows": rows,
        "part": "test",
        "samples": sounds["target"].size,
        "notes": list(pair.notes),
        **settings.written(out),
    }
    if settings.drift_seconds:
        own = list(generation.feed_back(loaded, x[begin : where.start], settings.drift_seconds))
        sounds["free-running"] = np.concatenate(own).astype(np.float64)
        result["drift"] = followed(task, sounds["free-running"], learnt, rate)
    for name, sound in sounds.items() if settings.wavs else ():
        assert settings.wavs is not None
        settings.wavs.mkdir(exist_ok=True)
        audio.write(settings.wavs / f"{name}.wav", [sound], rate, "PCM_16")
    if settings.plot:
        from dl4j_bridge.report import plots

        plots.ratios(settings.plot, rows)
    if out:
        _write_report(out, f"Comparison on {pair.input.path.name}", result, sounds, rate)
    return result


def followed(task: FramesTask, own: Floats, learnt: Floats, rate: int) -> dict[str, Any]:
    """Follow free-running sound; `learnt` is the sound of the training part."""
    samples = replace(task, frame=1)
    frames, recording = (task.scale.shrink(sound).reshape(-1, 1) for sound in (own, learnt))
    return drift.measure(samples, frames, recording, rate) | {
        "until": drift.until(own, learnt, rate),
        "seconds": own.size / rate,
    }


def _write_report(folder: Path, title: str, result: dict[str, Any], sounds: dict[str, Floats], rate: int) -> None:
    from dl4j_bridge.report import comparison, listening, page, plots
    from dl4j_bridge.report.excerpt import SECONDS, Excerpt

    folder.mkdir(exist_ok=True)
    bars = folder / "comparison.png"
    plots.ratios(bars, result["rows"])
    size = min(round(SECONDS * rate), sounds["target"].size)
    excerpt: dict[str, npt.NDArray[np.floating]] = {"target": sounds["target"][:size], "output": sounds["model"][:size]}
    table = page.table([row | {"parameters": f"{row['parameters']:,}"} for row in result["rows"]])
    sections = [
        ("Against what does without a network", page.cards([page.picture(bars, "signal-to-noise ratios"), table])),
        *listening.sections(folder, Excerpt(rate, 0, excerpt, {}), "the held-out test part"),
    ]
    if "drift" in result:
        own = folder / "free-running.wav"
        audio.write(own, [sounds["free-running"]], rate, "PCM_16")
        said = page.paragraph(in_words(result["drift"])) + page.sound(own, "free-running")
        sections.append(("Free-running output over time", said + comparison.over_time(folder, result["drift"])))
    page.write(folder / "report.html", title, sections)


def in_words(found: dict[str, Any]) -> str:
    """Say when free-running output drifted."""
    if found["until"] is None:
        return f"stayed with the recording for all of {found['seconds']:.0f} s"
    return f"left the recording for good after {found['until']} s"
