"""How networks are measured: one criterion for classes, one for vectors."""

from dl4j_bridge.diagnostics.criteria.classes import Classes
from dl4j_bridge.diagnostics.criteria.criterion import Criterion
from dl4j_bridge.diagnostics.criteria.vectors import Vectors
from dl4j_bridge.tasks.interface import Task

__all__ = ["Criterion", "of"]


def of(task: Task) -> Criterion:
    """The criterion for a task's network, chosen by its output."""
    return Classes(task) if task.interface.output == "softmax" else Vectors(task)
