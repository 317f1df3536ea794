"""A small amplifier at 44.1 kHz and 24 bits, learned as numbers: a model of an amplifier."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, samples, synthesis
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks.registry import train_settings

SECONDS = 20.0
RATE = 44100


def make_recordings(folder: Path) -> tuple[Path, Path]:
    """Write a dry and a processed recording, 24-bit at 44.1 kHz."""
    dry, wet = folder / "dry.wav", folder / "wet.wav"
    sound = synthesis.plucked_strings(SECONDS, RATE)
    audio_files.write(dry, [sound], RATE, "PCM_24")
    audio_files.write(wet, [synthesis.amplifier(sound, RATE)], RATE, "PCM_24")
    return dry, wet


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`."""
    dry, wet = make_recordings(folder)
    say(f"made {dry} (plucked strings, 44.1 kHz) and {wet} (the same through a small amplifier)")
    return samples.learn(folder, dry, wet, train_settings({"task": "frames"} | limits), say, report)
