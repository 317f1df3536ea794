"""An audio language model, learnt from a folder of made recordings: then it goes on by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, synthesis
from dl4j_bridge.jobs import comparing, generation, training
from dl4j_bridge.report import run as run_report
from dl4j_bridge.settings.commands import CompareSettings, GenerateSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.terminal import tables

RECORDINGS, SECONDS = 3, 20.0
# Behind the held-out part, where the comparison looks for drift; and in the wav.
DRIFT_SECONDS, NEW_SECONDS = 10.0, 10.0


def make_recordings(folder: Path) -> list[Path]:
    """Write speech-like recordings into a folder of their own; 16-bit at 22,050 Hz."""
    folder.mkdir()
    paths = [folder / f"voice-{number}.wav" for number in range(1, RECORDINGS + 1)]
    for seed, path in enumerate(paths, 1):
        rate = 2 * synthesis.CLASSIC_RATE
        audio_files.write(path, [synthesis.speech_like(SECONDS, rate, seed)], rate, "PCM_16")
    return paths


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train on their folder, compare and follow the model's own audio; as `demos.run` has it."""
    voices = folder / "voices"
    paths = make_recordings(voices)
    say(f"made {voices}: {RECORDINGS} recordings that sound like speech")
    settings = train_settings({"task": "language-model"} | limits, has_target=False)
    job = training.new_run([voices], [], folder / "run", settings)
    result = training.train(job, report)
    run_report.write(job)
    if result["stopped_because"] == "interrupted":
        return result
    say("comparing with counted contexts on the held-out part, and following the model's own audio")
    drift = CompareSettings(drift_seconds=DRIFT_SECONDS)
    compared = comparing.compare(folder / "run", paths[0], None, drift, out=folder / "compare")
    output = folder / "new.wav"
    say(f"drawing {NEW_SECONDS:.0f} s of new audio into {output}")
    generation.generate(folder / "run", output, NEW_SECONDS, GenerateSettings())
    return result | {
        "rows": compared["rows"],
        "title": tables.judged(compared["samples"], compared["part"]),
        "output": str(output),
        "report": compared["report"],
    }
