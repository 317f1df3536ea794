"""A riff, learnt frame by frame, that the network then goes on playing by itself: without a mend and with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, synthesis
from dl4j_bridge.jobs import comparing, comparing_next_frame, training
from dl4j_bridge.report import page, plots
from dl4j_bridge.report import run as run_report
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.terminal import tables

SECONDS, FOLLOWED = 60.0, 30.0
WITHOUT: dict[str, Any] = {"input_noise": 0.0}
MENDED: dict[str, Any] = {"input_noise": 0.1}


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make a recording, train without the mend and with it, compare, and draw; as `demos.run` has it."""
    riff = folder / "riff.wav"
    audio_files.write(riff, [synthesis.riff(SECONDS)], synthesis.CLASSIC_RATE, "PCM_16")
    say(f"made {riff} (two seconds of plucked strings again and again)")
    # With noise it takes 2,000 steps or so to learn the way back.
    shares = {"without": 0.3, "run": 0.7}
    compared: dict[str, dict[str, Any]] = {}
    for name, options in (("without", WITHOUT), ("run", MENDED)):
        spent = dict(limits)
        if spent.get("minutes"):
            spent["minutes"] *= shares[name]
        say(f"training with input noise of {options['input_noise']:g}")
        settings = train_settings({"task": "frames"} | options | spent, has_target=False)
        job = training.new_run([riff], [], folder / name, settings)
        result = training.train(job, report)
        run_report.write(job)
        if result["stopped_because"] == "interrupted":
            return result
        compare = CompareSettings(drift_seconds=FOLLOWED, wavs=folder / f"{name}-wavs")
        compared[name] = comparing.compare(folder / name, riff, None, compare)
        say(f"free-running output {comparing_next_frame.in_words(compared[name]['drift'])}")
    _write_report(folder, compared)
    last = compared["run"]
    return result | {
        "rows": last["rows"],
        "drift": {name: found["drift"]["until"] for name, found in compared.items()},
        "title": tables.judged(last["samples"], last["part"]),
        "output": str(folder / "run-wavs" / "free-running.wav"),
        "report": str(folder / "report.html"),
    }


def _write_report(folder: Path, compared: dict[str, dict[str, Any]]) -> None:
    sections = [("The recording", page.sound(folder / "run-wavs" / "target.wav", "the held-out part"))]
    for name, title in (("without", "Without a mend"), ("run", "With input noise")):
        bars = folder / f"{name}.png"
        plots.ratios(bars, compared[name]["rows"])
        heard = page.sound(folder / f"{name}-wavs" / "free-running.wav", "the network by itself")
        said = page.paragraph(f"By itself it {comparing_next_frame.in_words(compared[name]['drift'])}.")
        learnt = page.picture(folder / name / "loss.png", "squared error over steps")
        sections.append((title, heard + said + page.cards([page.picture(bars, "signal-to-noise ratios"), learnt])))
    page.write(folder / "report.html", "The next frame", sections)
