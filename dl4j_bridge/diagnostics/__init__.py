"""Why a network does not learn: checks of recordings, hand-over, network, learning and output, fastest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.handover.inspection import inspect as inspect

__all__ = ["inspect"]


def __getattr__(name: str) -> Any:
    # Importing the package must not import SciPy and whatever else the checks need.
    if name == "inspect":
        from dl4j_bridge.diagnostics.handover.inspection import inspect

        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
