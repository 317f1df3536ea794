"""Is what reaches the network what was meant? Somebody else's batches, and our own hand-over."""

from dl4j_bridge.diagnostics.handover.batches import open_iterator
from dl4j_bridge.diagnostics.handover.inspection import inspect
from dl4j_bridge.diagnostics.handover.own import checks

__all__ = ["checks", "inspect", "open_iterator"]
