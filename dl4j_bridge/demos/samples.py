"""A small amplifier, learnt from plucked strings: the main job end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, synthesis
from dl4j_bridge.jobs import comparing, processing, training
from dl4j_bridge.report import page, plots
from dl4j_bridge.report import run as run_report
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.terminal import tables

SECONDS = 20.0


def make_recordings(folder: Path) -> tuple[Path, Path]:
    """Write a dry and a processed recording, 8-bit at 11025 Hz."""
    dry, wet = folder / "dry.wav", folder / "wet.wav"
    sound = synthesis.plucked_strings(SECONDS)
    audio_files.write(dry, [sound], synthesis.CLASSIC_RATE, "PCM_U8")
    audio_files.write(wet, [synthesis.amplifier(sound)], synthesis.CLASSIC_RATE, "PCM_U8")
    return dry, wet


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and draw what came out; as `demos.run` has it."""
    dry, wet = make_recordings(folder)
    say(f"made {dry} (plucked strings) and {wet} (the same through a small amplifier)")
    return learn(folder, dry, wet, train_settings(limits), say, report)


def learn(folder: Path, dry: Path, wet: Path, settings: TrainSettings, say: Say, report: Report) -> dict[str, Any]:
    """Do all that follows once there are recordings: of any task that turns one into another."""
    job = training.new_run([dry], [wet], folder / "run", settings)
    result = training.train(job, report)
    run_report.write(job)
    if result["stopped_because"] == "interrupted":
        return result
    say("comparing with the baselines on the held-out part")
    compared = comparing.compare(folder / "run", dry, wet)
    output = folder / "processed.wav"
    say(f"processing {dry} into {output}")
    processing.process(folder / "run", dry, output, ProcessSettings())
    _write_report(folder, compared["rows"])
    said = tables.judged(compared["samples"], compared["part"])
    return result | {
        "rows": compared["rows"],
        "title": said,
        "output": str(output),
        "report": str(folder / "report.html"),
    }


def _write_report(folder: Path, rows: list[dict[str, Any]]) -> None:
    sounds = {name: open_recording(folder / f"{name}.wav") for name in ("dry", "wet", "processed")}
    samples = {name: recording.read(recording.rate) for name, recording in sounds.items()}
    overlay, bars = folder / "waves.png", folder / "comparison.png"
    plots.overlay(overlay, sounds["dry"].rate, dict(samples))
    plots.comparison(bars, rows)
    players = "".join(page.sound(recording.path, name) for name, recording in sounds.items())
    sections = [
        ("Listen", players),
        ("Waves", page.picture(overlay, "dry, wet and processed wave")),
        ("Against the baselines", page.picture(bars, "the rows below as bars") + page.table(rows)),
        ("Learning", page.picture(folder / "run" / "loss.png", "loss over steps")),
    ]
    page.write(folder / "report.html", "dl4j_bridge demo", sections)
