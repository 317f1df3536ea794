"""A voice taken out of plucked strings: spectrogram to spectrogram, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.demos import Report, Say, synthesis
from dl4j_bridge.jobs import comparing, processing, training
from dl4j_bridge.report import page
from dl4j_bridge.report import run as run_report
from dl4j_bridge.settings.commands import CompareSettings, ProcessSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.terminal import tables

SECONDS, RATE = 120.0, 16000


def make_recordings(folder: Path) -> tuple[Path, Path]:
    """Write a mixture of voice and strings, equally loud, and the voice alone."""
    mixture, stem = folder / "mixture.wav", folder / "voice.wav"
    voice = synthesis.speech_like(SECONDS, RATE, seed=3)
    strings = synthesis.plucked_strings(SECONDS, RATE, seed=4)
    both = voice + strings * np.linalg.norm(voice) / np.linalg.norm(strings)
    gain = 0.9 / np.abs(both).max()
    audio_files.write(mixture, [gain * both], RATE, "PCM_16")
    audio_files.write(stem, [gain * voice], RATE, "PCM_16")
    return mixture, stem


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and draw what came out; as `demos.run` has it."""
    mixture, stem = make_recordings(folder)
    say(f"made {mixture} (a voice among plucked strings) and {stem} (the voice)")
    settings = train_settings({"task": "spectrogram"} | {"mask": True} | limits)
    job = training.new_run([mixture], [stem], folder / "run", settings)
    result = training.train(job, report)
    run_report.write(job)
    if result["stopped_because"] == "interrupted":
        return result
    say("comparing with masks on the held-out part")
    wanted = CompareSettings(wavs=folder / "held-out")
    compared = comparing.compare(folder / "run", mixture, stem, wanted, out=comparing.report_folder(folder / "run"))
    output = folder / "separated.wav"
    say(f"processing {mixture} into {output}")
    processing.process(folder / "run", mixture, output, ProcessSettings())
    _write_report(folder, compared["rows"])
    return result | {
        "rows": compared["rows"],
        "title": tables.judged(compared["samples"], compared["part"]),
        "output": str(output),
        "report": str(folder / "report.html"),
    }


def _write_report(folder: Path, rows: list[dict[str, Any]]) -> None:
    compared = comparing.report_folder(folder / "run")
    heard = {"mixture": "mixture", "stem": "voice", "model": "voice, separated", "oracle-ratio": "the best mask"}
    players = "".join(page.sound(folder / "held-out" / f"{name}.wav", text) for name, text in heard.items())
    sections = [
        ("Listen: the held-out part", players),
        (
            "Against the masks",
            page.picture(compared / "comparison.png", "improvement of SI-SDR") + page.table(rows),
        ),
        ("Spectrograms", page.picture(compared / "spectrograms.png", "mixture, voice, output and error")),
        ("Borders of windows", page.picture(compared / "borders.png", "change of the spectrum by place in a window")),
        ("Learning", page.picture(folder / "run" / "loss.png", "squared error over steps")),
    ]
    page.write(folder / "report.html", "dl4j_bridge demo: spectrogram", sections)
