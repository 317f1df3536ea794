"""The pictures and the page of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.jobs import comparing, training
from dl4j_bridge.jobs.training import Run, part_of
from dl4j_bridge.report import excerpt, listening, page, plots
from dl4j_bridge.signal import metrics
from dl4j_bridge.tasks.frames import FramesTask
from dl4j_bridge.tasks.samples import SamplesTask
from dl4j_bridge.tasks.spectrogram import SpectrogramTask
from dl4j_bridge.terminal import tables

# Of the validation part, for the baselines' bits: enough for a line, and few enough not to be waited for.
BASELINE_SAMPLES = 1 << 13
MEMORYLESS = "lookup-table"


def write(run: Run) -> None:
    """Draw ``loss.png``, ``accuracy.png`` and what the model makes of the held-out part; write ``report.html``."""
    folder = run.folder.path
    stored = run.folder.read_run()
    result = stored["result"]
    heard = _excerpt(run)
    about_run = {
        "settings": stored["settings"],
        "versions": stored["versions"],
    }
    sections = [
        ("", _figures(result)),
        ("Learning", _curves(run)),
        *listening.sections(folder, heard, _part_in_words(run), _remark(run, heard)),
        ("Run", page.facts({name: value for name, value in result.items() if name != "valid"})),
        ("Recordings", page.table([_recordings(pair) for pair in stored["pairs"]])),
        ("", "".join(page.folded(name.capitalize(), page.facts(values)) for name, values in about_run.items())),
    ]
    page.write(folder / "report.html", f"Training run {folder.name}", sections)


def _figures(result: dict[str, Any]) -> str:
    """None of an interrupted run, which was not judged in the end."""
    if not result["valid"]:
        return page.paragraph(f"Interrupted at step {result['steps']}; the sound below is that of this moment.")
    valid = result["valid"]
    if "bits" not in valid:
        return page.numbers({tables.heading(name): tables.short(name, value) for name, value in valid.items()})
    exact = "exact" if valid["esr"] == 0 else "–"
    return page.numbers(
        {
            "bits per sample (validation)": f"{valid['bits']:.3f}",
            "exact classes": f"{valid['accuracy']:.2%}",
            "signal-to-noise ratio": exact if valid["snr_db"] is None else f"{valid['snr_db']:.1f} dB",
            f"steps; stopped by {result['stopped_because']}": f"{result['steps']:,}",
        }
    )


def _curves(run: Run) -> str:
    folder, log = run.folder.path, run.folder.read_log()
    if not isinstance(run.task, SamplesTask):
        return _curves_of_squares(run, log)
    target = np.concatenate([y[part_of(y.size, "valid")] for _, y in run.signals])
    plots.loss(folder / "loss.png", log, metrics.entropy_bits(target), _baselines(run))
    plots.accuracy(folder / "accuracy.png", log, float(np.bincount(target).max() / target.size))
    of_bits = (
        "Cross-entropy of training and validation. A run that stays on the chance line has learnt nothing, one on the "
        "histogram line only how often each class comes; a baseline's line is what needs no network."
    )
    of_accuracy = "Share of the samples whose likeliest class is exactly the target's."
    return page.cards(
        [
            page.picture(folder / "loss.png", "bits per sample over steps", of_bits),
            page.picture(folder / "accuracy.png", "exact classes over steps", of_accuracy),
        ]
    )


def _curves_of_squares(run: Run, log: list[dict[str, str]]) -> str:
    path = run.folder.path / "loss.png"
    # The squares of training are weighed by the segment's power, as ESR is.
    weighed = isinstance(run.task, FramesTask) and run.task.weighed
    plots.squared_error(path, log, run.task.learnt[0], "esr" if weighed else run.task.loss)
    caption = "Loss of training" + (
        ", and ESR of the validation without pre-emphasis." if weighed else " and validation."
    )
    return page.cards([page.picture(path, "squared error over steps", caption)])


def _baselines(run: Run) -> dict[str, float]:
    """Bits of the best memoryless map, and of the best baseline where that is another one."""
    assert isinstance(run.task, SamplesTask)
    x, y = run.signals[0]
    part = part_of(y.size, "valid")
    where = slice(part.start, min(part.stop, part.start + BASELINE_SAMPLES))
    bits = {}
    for name, baseline in comparing.fitted_when_trained(run.task, run.baselines):
        first = max(where.start - baseline.memory, 0)
        said = baseline.predict(x[first : where.stop]).probabilities
        if said is not None:
            bits[name] = metrics.bits_per_sample(said[where.start - first :], y[where])
    names = dict.fromkeys([MEMORYLESS, min(bits, key=bits.__getitem__, default=MEMORYLESS)])
    return {name: bits[name] for name in names if name in bits}


def _excerpt(run: Run) -> excerpt.Excerpt:
    """The best network on the held-out part of the first pair; the last one where the run was interrupted."""
    network, about = (run.best.network, run.best.about) if run.best else (run.network, run.about)
    x, y = run.signals[0]
    rate, part = run.about["rate"], part_of(len(y), "test")
    if isinstance(run.task, SamplesTask):
        return excerpt.of_network(network, run.task, x, y, part, rate, about)
    if isinstance(run.task, SpectrogramTask):
        return excerpt.of_spectrogram(network, run.task, run.pairs[0], x, y, part)
    assert isinstance(run.task, FramesTask)
    return excerpt.of_frames(network, run.task, x, y, part, rate)


def _remark(run: Run, heard: excerpt.Excerpt) -> str:
    """Where there is more to hear, if it would have taken too long here."""
    _, y = training.part(run.signals[0], "test")
    if heard.size >= min(len(y) * run.task.hop, round(excerpt.SECONDS * heard.rate)):
        return ""
    return f"The report of dl4j-bridge compare has up to {excerpt.SECONDS:.0f} s."


def _recordings(pair: dict[str, Any]) -> dict[str, Any]:
    """Names without folders: a page may be given away."""
    target = pair["target"] and Path(pair["target"]["path"]).name
    return {"input": Path(pair["input"]["path"]).name, "target": target} | {
        "delay (samples)": pair["delay"],
        "length (samples)": pair["length"],
    }


def _part_in_words(run: Run) -> str:
    which = f" of the first of {len(run.pairs)} pairs" if len(run.pairs) > 1 else ""
    return f"the held-out test part{which}"
