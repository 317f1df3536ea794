"""What the package knows of a task before it imports the task's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from dl4j_bridge.settings.training import TaskSettings

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Task


@dataclass(frozen=True)
class Preset:
    """A named set of options.

    Attributes
    ----------
    purpose
        What it is for: a sentence for ``--help``.
    options
        Values by name of field.
    """

    purpose: str
    options: dict[str, Any]


@dataclass(frozen=True)
class TaskKind:
    """A task's name, options and defaults, and where its code is.

    Attributes
    ----------
    name
        Value of ``--task``.
    implementation
        A class that derives from `Task`, or ``module:class`` of one, which is imported when it is first needed.
    settings
        Group of the options that this task alone has.
    with_target, without_target
        Defaults that differ from those in `settings`, with a target and without; None where the task cannot be used so.
    next_by_name
        Whether a training without a target has to be asked for: it may be a forgotten one.
    separates
        Whether the target is a part of the input: what else it has moves, and no fixed model tells the two apart.
    presets
        By name; the defaults are none of them.
    """

    name: str
    implementation: str | type[Task]
    settings: type[TaskSettings] = TaskSettings
    with_target: dict[str, Any] | None = None
    without_target: dict[str, Any] | None = None
    next_by_name: bool = False
    separates: bool = False
    presets: Mapping[str, Preset] = field(default_factory=dict)

    def load(self) -> type[Task]:
        """The task's class."""
        found = self.implementation
        loaded: type[Task] = resolve_name(found) if isinstance(found, str) else found
        return loaded
