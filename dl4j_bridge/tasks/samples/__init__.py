"""8-bit samples as 256 classes: the target's sample from the input's, or the next sample of the same recording."""

from typing import Any

from dl4j_bridge.tasks.kind import TaskKind
from dl4j_bridge.tasks.samples.presets import PRESETS

# With the faster default, a model that is fed its own samples more often ends too quiet or too loud.
NEXT_SAMPLE: dict[str, Any] = {"learning_rate": 0.005}

KIND = TaskKind(
    "samples",
    "dl4j_bridge.tasks.samples.task:SamplesTask",
    with_target={},
    without_target=NEXT_SAMPLE,
    presets=PRESETS,
)
