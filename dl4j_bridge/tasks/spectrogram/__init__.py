"""Magnitudes of spectra: a mixture in, one of its stems out, with the phase of the mixture."""

from dl4j_bridge.tasks.kind import TaskKind
from dl4j_bridge.tasks.spectrogram.settings import SpectrogramSettings

KIND = TaskKind(
    "spectrogram",
    "dl4j_bridge.tasks.spectrogram.task:SpectrogramTask",
    SpectrogramSettings,
    with_target={"layers": 3, "hidden": 128, "batch": 8, "tbptt": 32, "length": 128, "learning_rate": 0.003},
    separates=True,
)
