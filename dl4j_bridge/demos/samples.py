"""A small amplifier, learned from plucked strings: the main job end to end."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, recipe, synthesis
from dl4j_bridge.jobs.compare import report_folder
from dl4j_bridge.jobs.process import process
from dl4j_bridge.report import page, sound_plots
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult
from dl4j_bridge.tasks.registry import train_settings

SECONDS = 20.0


def make_recordings(folder: Path) -> tuple[Path, Path]:
    """Write a dry and a processed recording, 8-bit at 11025 Hz."""
    dry, wet = folder / "dry.wav", folder / "wet.wav"
    sound = synthesis.plucked_strings(SECONDS)
    audio_files.write(dry, [sound], synthesis.CLASSIC_RATE, "PCM_U8")
    audio_files.write(wet, [synthesis.amplifier(sound)], synthesis.CLASSIC_RATE, "PCM_U8")
    return dry, wet


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`."""
    dry, wet = make_recordings(folder)
    say(f"made {dry} (plucked strings) and {wet} (the same through a small amplifier)")
    return learn(folder, dry, wet, train_settings(limits), say, report)


def learn(folder: Path, dry: Path, wet: Path, settings: TrainSettings, say: Say, report: Report) -> dict[str, Any]:
    """Do everything after the recordings, for any task that turns one recording into another."""
    result = recipe.trained(folder / "run", [dry], [wet], settings, report)
    if result["stopped_because"] == recipe.INTERRUPTED:
        return result
    say("comparing with the baselines on the held-out part")
    compared = recipe.compared(folder / "run", dry, wet)
    output = folder / "processed.wav"
    say(f"processing {dry} into {output}")
    process(folder / "run", dry, output, ProcessSettings())
    _write_report(folder, compared)
    return result | recipe.shown(compared, output, folder / "report.html")


def _write_report(folder: Path, compared: ComparisonResult) -> None:
    sounds = {name: open_recording(folder / f"{name}.wav") for name in ("dry", "wet", "processed")}
    samples = {name: recording.read(recording.rate) for name, recording in sounds.items()}
    overlay, bars = folder / "waves.png", report_folder(folder / "run") / "comparison.png"
    sound_plots.overlay(overlay, sounds["dry"].rate, dict(samples))
    players = "".join(page.sound(recording.path, name) for name, recording in sounds.items())
    table = page.table(columns.spelled(compared.rows))
    sections = [
        ("Listen", players),
        ("Waves", page.picture(overlay, "dry, wet and processed wave")),
        ("Against the baselines", page.picture(bars, "the rows below as bars") + table),
        ("Learning", page.picture(folder / "run" / "loss.png", "loss over steps")),
    ]
    page.write(folder / "report.html", "dl4j_bridge demo", sections)
