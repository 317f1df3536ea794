"""Commands as they are typed, for the user to paste."""

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dl4j_bridge.settings.checks import option
from dl4j_bridge.settings.training import NetworkSettings, TrainSettings
from dl4j_bridge.tasks.registry import train_settings


def command(name: str, *words: object) -> str:
    """A `dl4j-bridge` command; words are quoted for a shell."""
    return shlex.join(["dl4j-bridge", name, *map(str, words)])


def training(inputs: Iterable[Path], targets: Iterable[Path], settings: TrainSettings, **changes: Any) -> str:
    """The command that trains on these recordings with `settings`, some of them changed."""
    inputs, targets = list(inputs), list(targets)
    recordings = [("--input", path) for path in inputs] + [("--target", path) for path in targets]
    words = [word for pair in recordings for word in pair]
    return command("train", *words, *options(settings.with_options(changes), bool(targets)))


def options(settings: TrainSettings, has_target: bool) -> list[str]:
    """The options that differ from the task's defaults, as they are typed."""
    usual = train_settings({"task": settings.network.task}, has_target)
    usual = replace(usual, network=replace(usual.network, task=NetworkSettings.task))
    # What "auto" stands for need not be typed either.
    schedule = replace(settings.run, schedule="auto").resolved().schedule
    chosen = replace(usual, network=usual.network.resolved(), run=replace(usual.run, schedule=schedule))
    same = [usual.as_options(), chosen.as_options()]
    changed = {
        name: value
        for name, value in settings.as_options().items()
        if value is not None and all(value != one[name] for one in same)
    }
    return [word for name, value in changed.items() for word in _typed(name, value)]


def _typed(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [option(name if value else f"no_{name}")]
    return [option(name), str(value)]
