"""A small amplifier, learned from plucked strings: the main job end to end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, recipe, synthesis
from dl4j_bridge.jobs.compare import report_folder
from dl4j_bridge.report import page, sound_plots
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult
from dl4j_bridge.tasks.registry import train_settings

SECONDS = 20.0


def run(
    folder: Path,
    limits: dict[str, Any],
    say: Say,
    report: Report,
    rate: int = synthesis.CLASSIC_RATE,
    subtype: str = "PCM_U8",
    strings: str = "plucked strings",
    effect: Callable[[synthesis.Floats, int], synthesis.Floats] = synthesis.amplifier,
    amplifier: str = "a small amplifier",
) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`.

    The recordings have a rate in Hz and a sample format of libsndfile; `strings` describes the dry one, `amplifier` the
    effect.
    """
    dry, wet = folder / "dry.wav", folder / "wet.wav"
    sound = synthesis.plucked_strings(SECONDS, rate)
    audio_files.write(dry, [sound], rate, subtype)
    audio_files.write(wet, [effect(sound, rate)], rate, subtype)
    say(f"made {dry} ({strings}) and {wet} (the same through {amplifier})")
    output, settings = folder / "processed.wav", train_settings(limits)
    return recipe.effect(dry, wet, output, settings, "the baselines", _write_report, say, report)


def _write_report(folder: Path, compared: ComparisonResult) -> Path:
    sounds = {name: open_recording(folder / f"{name}.wav") for name in ("dry", "wet", "processed")}
    waves = {name: recording.read(recording.rate) for name, recording in sounds.items()}
    overlay = sound_plots.overlay(folder / "waves.png", sounds["dry"].rate, waves)
    bars = report_folder(folder / "run") / "comparison.png"
    players = "".join(page.sound(recording.path, name) for name, recording in sounds.items())
    table = page.table(columns.spelled(compared.rows))
    sections = [
        ("Listen", players),
        ("Waves", page.picture(overlay, "dry, wet and processed wave")),
        ("Against the baselines", page.picture(bars, "the rows below as bars") + table),
        ("Learning", page.picture(folder / "run" / "loss.png", "loss over steps")),
    ]
    return page.write(folder, "dl4j_bridge demo", sections)
