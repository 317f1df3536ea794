"""Why a network does not learn: checks of recordings, hand-over, network, learning and output, fastest first."""

from __future__ import annotations

from dl4j_bridge.diagnostics.handover.inspection import inspect

__all__ = ["inspect"]
