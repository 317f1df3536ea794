"""An audio language model: the next 8-bit sample of recordings without a target."""

from dataclasses import dataclass
from typing import ClassVar

from dl4j_bridge.tasks.samples.task import SamplesTask


@dataclass(frozen=True)
class LanguageModelTask(SamplesTask):
    """`SamplesTask` without a target, by a name of its own: other defaults, and folders of recordings."""

    name: ClassVar[str] = "language-model"
