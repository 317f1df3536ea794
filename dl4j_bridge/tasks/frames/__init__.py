"""Frames of samples as vectors of numbers: the processed frame at the same time, or the next frame."""

from dl4j_bridge.tasks.frames.presets import PRESETS
from dl4j_bridge.tasks.frames.settings import FramesSettings
from dl4j_bridge.tasks.kind import TaskKind

KIND = TaskKind(
    "frames",
    "dl4j_bridge.tasks.frames.task:FramesTask",
    FramesSettings,
    with_target={
        "layers": 1,
        "hidden": 40,
        "slow_units": 0.3,
        "tbptt": 500,
        "length": 2000,
        "loss": "esr",
        "learning_rate": 0.005,
        "warm_up": 200,
        # Steps are short, and so are 8,000 samples at 44.1 kHz: a quiet passage would stop the training.
        "validate_every": 250,
        "validation_samples": 44100,
        "patience": 12,
    },
    without_target={"layers": 3, "hidden": 128, "frame": 200, "length": 50, "batch": 16, "learning_rate": 0.003},
    next_by_name=True,
    presets=PRESETS,
)
