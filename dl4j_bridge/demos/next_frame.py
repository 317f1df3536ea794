"""A riff, learned frame by frame, that the network then plays by itself: without input noise and with it."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, recipe, synthesis
from dl4j_bridge.jobs.compare import report_folder
from dl4j_bridge.report import page
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.registry import train_settings

SECONDS, FOLLOWED = 60.0, 30.0


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make a recording, train without input noise and with it, compare, and plot; see `demos.run`."""
    riff = folder / "riff.wav"
    audio_files.write(riff, [synthesis.riff(SECONDS)], synthesis.CLASSIC_RATE, "PCM_16")
    say(f"made {riff} (two seconds of plucked strings again and again)")
    # With noise it takes about 2,000 steps to learn the way back.
    drifts: dict[str, dict[str, Any]] = {}
    for name, input_noise, share in (("without", 0.0, 0.3), ("run", 0.1, 0.7)):
        spent = dict(limits)
        if spent.get("minutes"):
            spent["minutes"] *= share
        say(f"training with input noise of {input_noise:g}")
        settings = train_settings(
            {"task": "frames", "predict": "next", "input_noise": input_noise} | spent, has_target=False
        )
        result = recipe.trained(folder / name, [riff], [], settings, report)
        if result["stopped_because"] == recipe.INTERRUPTED:
            return result
        wanted = CompareSettings(drift_seconds=FOLLOWED, wavs=folder / f"{name}-wavs", overwrite=True)
        compared = recipe.compared(folder / name, riff, None, wanted)
        assert compared.drift is not None, "the network predicts the next frame"
        drifts[name] = compared.drift
        say(f"free-running output {columns.departure(drifts[name])}")
    output = folder / "run-wavs" / "free-running.wav"
    until = {name: drift["until"] for name, drift in drifts.items()}
    return result | {"drift": until} | recipe.shown(compared, output, _write_report(folder, drifts))


def _write_report(folder: Path, drifts: dict[str, dict[str, Any]]) -> Path:
    sections = [("The recording", page.sound(folder / "run-wavs" / "target.wav", "the held-out part"))]
    for name, title in (("without", "Without input noise"), ("run", "With input noise")):
        bars = report_folder(folder / name) / "comparison.png"
        player = page.sound(folder / f"{name}-wavs" / "free-running.wav", "the network by itself")
        words = page.paragraph(f"By itself it {columns.departure(drifts[name])}.")
        loss = page.picture(folder / name / "loss.png", "squared error over steps")
        sections.append((title, player + words + page.cards([page.picture(bars, "signal-to-noise ratios"), loss])))
    return page.write(folder, "The next frame", sections)
