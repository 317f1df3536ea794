"""An audio language model, learned from a folder of made recordings: then it generates by itself."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, recipe, synthesis
from dl4j_bridge.jobs.compare import report_folder
from dl4j_bridge.jobs.generate import generate
from dl4j_bridge.settings.commands import CompareSettings, GenerateSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks.registry import train_settings

RECORDINGS, SECONDS = 3, 20.0
# After the held-out part, where the comparison measures drift; and in the wav.
DRIFT_SECONDS, NEW_SECONDS = 10.0, 10.0


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train on their folder, compare and follow the model's own audio; see `demos.run`."""
    voices, model = folder / "voices", folder / "run"
    voices.mkdir(exist_ok=True)
    rate = 2 * synthesis.CLASSIC_RATE
    for number in range(1, RECORDINGS + 1):
        voice = synthesis.speech_like(SECONDS, rate, seed=number)
        audio_files.write(voices / f"voice-{number}.wav", [voice], rate, "PCM_16")
    say(f"made {voices}: {RECORDINGS} recordings that sound like speech")
    settings = train_settings({"task": "language-model"} | limits, has_target=False)
    result = recipe.trained(model, [voices], [], settings, report)
    if result["stopped_because"] == recipe.INTERRUPTED:
        return result
    say("comparing with counted contexts on the held-out part, and following the model's own audio")
    compared = recipe.compared(model, voices / "voice-1.wav", None, CompareSettings(drift_seconds=DRIFT_SECONDS))
    output = folder / "new.wav"
    say(f"generating {NEW_SECONDS:.0f} s of new audio into {output}")
    generate(model, output, GenerateSettings(seconds=NEW_SECONDS, overwrite=True))
    return result | recipe.shown(compared, output, report_folder(model) / "report.html")
