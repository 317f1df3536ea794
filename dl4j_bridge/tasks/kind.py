"""What the package knows of a task before it imports the task's code."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dl4j_bridge.settings.training import TaskSettings

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Task


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
    presets
        Names of presets that apply to the task.
    """

    name: str
    implementation: str | type[Task]
    settings: type[TaskSettings] = TaskSettings
    with_target: dict[str, Any] | None = None
    without_target: dict[str, Any] | None = None
    presets: tuple[str, ...] = ("default",)

    def load(self) -> type[Task]:
        """The task's class."""
        if not isinstance(self.implementation, str):
            return self.implementation
        module, _, name = self.implementation.partition(":")
        found: type[Task] = getattr(import_module(module), name)
        return found

    def defaults(self, has_target: bool) -> dict[str, Any] | None:
        return self.with_target if has_target else self.without_target
