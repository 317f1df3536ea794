"""A voice separated from plucked strings: spectrogram to spectrogram, end to end."""

from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.demos import Report, Say, recipe, synthesis
from dl4j_bridge.jobs.compare import report_folder
from dl4j_bridge.report import page
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.comparison import ComparisonResult
from dl4j_bridge.tasks.registry import train_settings

SECONDS, RATE = 120.0, 16000


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`."""
    mixture, stem = folder / "mixture.wav", folder / "voice.wav"
    voice = synthesis.speech_like(SECONDS, RATE, seed=3)
    strings = synthesis.plucked_strings(SECONDS, RATE, seed=4)
    # Both are equally loud.
    both = voice + strings * np.linalg.norm(voice) / np.linalg.norm(strings)
    gain = 0.9 / np.abs(both).max()
    audio_files.write(mixture, [gain * both], RATE, "PCM_16")
    audio_files.write(stem, [gain * voice], RATE, "PCM_16")
    say(f"made {mixture} (a voice among plucked strings) and {stem} (the voice)")
    settings = train_settings({"task": "spectrogram", "mask": True} | limits)
    output, wavs = folder / "separated.wav", CompareSettings(wavs=folder / "held-out", overwrite=True)
    return recipe.effect(mixture, stem, output, settings, "masks", _write_report, say, report, wavs)


def _write_report(folder: Path, compared: ComparisonResult) -> Path:
    pictures = report_folder(folder / "run")
    titles = {"mixture": "mixture", "stem": "voice", "model": "voice, separated", "oracle-ratio": "the best mask"}
    players = "".join(page.sound(folder / "held-out" / f"{name}.wav", text) for name, text in titles.items())
    table = page.table(columns.spelled(compared.rows))
    sections = [
        ("Listen: the held-out part", players),
        ("Against the masks", page.picture(pictures / "comparison.png", "improvement of SI-SDR") + table),
        ("Spectrograms", page.picture(pictures / "spectrograms.png", "mixture, voice, output and error")),
        ("Borders of windows", page.picture(pictures / "borders.png", "change of the spectrum by place in a window")),
        ("Learning", page.picture(folder / "run" / "loss.png", "squared error over steps")),
    ]
    return page.write(folder, "dl4j_bridge demo: spectrogram", sections)
