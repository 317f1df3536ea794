"""An audio language model: the next 8-bit sample of a folder of recordings."""

from dl4j_bridge.tasks.kind import TaskKind
from dl4j_bridge.tasks.samples import NEXT_SAMPLE

KIND = TaskKind(
    "language-model",
    "dl4j_bridge.tasks.language_model.task:LanguageModelTask",
    without_target=NEXT_SAMPLE | {"rate": 11025, "codec": "mulaw"},
)
