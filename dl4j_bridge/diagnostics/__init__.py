"""Why does it not learn? Checks by layer, from cheap to dear: data, hand-over, network, learning, output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.handover import inspect as inspect

__all__ = ["inspect"]


def __getattr__(name: str) -> Any:
    # SciPy and all else that the checks need stay out of a mere import.
    if name == "inspect":
        from dl4j_bridge.diagnostics.handover import inspect

        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
