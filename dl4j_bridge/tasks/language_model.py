"""An audio language model: what comes next in recordings without a target, one 8-bit sample at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dl4j_bridge.tasks.samples import SamplesTask


@dataclass(frozen=True)
class LanguageModelTask(SamplesTask):
    """`SamplesTask` without a target, by a name of its own: other defaults, and folders of recordings."""

    name: ClassVar[str] = "language-model"
