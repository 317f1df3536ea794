"""What is learnt: features, targets, decoding and metrics. A task is a file here."""

from __future__ import annotations

from typing import Any

from dl4j_bridge.settings.config import TrainSettings
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.tasks.frames import FramesTask
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.tasks.language_model import LanguageModelTask
from dl4j_bridge.tasks.samples import SamplesTask
from dl4j_bridge.tasks.spectrogram import SpectrogramTask

__all__ = ["FramesTask", "LanguageModelTask", "SamplesTask", "SpectrogramTask", "Task", "choose", "from_dict"]

_ALL: dict[str, type[SamplesTask] | type[FramesTask] | type[SpectrogramTask]] = {
    task.name: task for task in (SamplesTask, LanguageModelTask, FramesTask, SpectrogramTask)
}


def choose(settings: TrainSettings, pairs: list[Pair]) -> Task:
    """Make the task that the settings and the recordings ask for."""
    return _ALL[settings.network.task].of_pairs(settings, pairs)


def from_dict(stored: dict[str, Any]) -> Task:
    """Give the task that a model file describes."""
    return _ALL[stored["task"]].from_dict(stored)
