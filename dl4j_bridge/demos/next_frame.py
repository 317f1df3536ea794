"""A riff, learned frame by frame, that the network then plays by itself: without input noise and with it."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, recipe, synthesis
from dl4j_bridge.jobs.compare import report_folder
from dl4j_bridge.report import page
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult
from dl4j_bridge.tasks.registry import train_settings

SECONDS, FOLLOWED = 60.0, 30.0
WITHOUT: dict[str, Any] = {"input_noise": 0.0}
WITH_NOISE: dict[str, Any] = {"input_noise": 0.1}


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make a recording, train without input noise and with it, compare, and plot; see `demos.run`."""
    riff = folder / "riff.wav"
    audio_files.write(riff, [synthesis.riff(SECONDS)], synthesis.CLASSIC_RATE, "PCM_16")
    say(f"made {riff} (two seconds of plucked strings again and again)")
    # With noise it takes about 2,000 steps to learn the way back.
    shares = {"without": 0.3, "run": 0.7}
    compared: dict[str, ComparisonResult] = {}
    for name, options in (("without", WITHOUT), ("run", WITH_NOISE)):
        spent = dict(limits)
        if spent.get("minutes"):
            spent["minutes"] *= shares[name]
        say(f"training with input noise of {options['input_noise']:g}")
        settings = train_settings({"task": "frames"} | options | spent, has_target=False)
        result = recipe.trained(folder / name, [riff], [], settings, report)
        if result["stopped_because"] == recipe.INTERRUPTED:
            return result
        wanted = CompareSettings(drift_seconds=FOLLOWED, wavs=folder / f"{name}-wavs")
        compared[name] = recipe.compared(folder / name, riff, None, wanted)
        say(f"free-running output {columns.departure(_drift(compared[name]))}")
    _write_report(folder, compared)
    output = folder / "run-wavs" / "free-running.wav"
    drift = {name: _drift(found)["until"] for name, found in compared.items()}
    return result | {"drift": drift} | recipe.shown(compared["run"], output, folder / "report.html")


def _drift(result: ComparisonResult) -> dict[str, Any]:
    assert result.drift is not None, "the network predicts the next frame"
    return result.drift


def _write_report(folder: Path, compared: dict[str, ComparisonResult]) -> None:
    sections = [("The recording", page.sound(folder / "run-wavs" / "target.wav", "the held-out part"))]
    for name, title in (("without", "Without input noise"), ("run", "With input noise")):
        bars = report_folder(folder / name) / "comparison.png"
        player = page.sound(folder / f"{name}-wavs" / "free-running.wav", "the network by itself")
        words = page.paragraph(f"By itself it {columns.departure(_drift(compared[name]))}.")
        loss = page.picture(folder / name / "loss.png", "squared error over steps")
        sections.append((title, player + words + page.cards([page.picture(bars, "signal-to-noise ratios"), loss])))
    page.write(folder / "report.html", "The next frame", sections)
