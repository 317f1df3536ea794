"""Train a DL4J GravesLSTM on a dry and a processed recording, and run it.

>>> import dl4j_bridge
>>> run = dl4j_bridge.load("amp")

Importing this package starts no Java virtual machine and imports nothing heavy; the first use does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dl4j_bridge.errors import BridgeError, InputError

if TYPE_CHECKING:
    from dl4j_bridge.api import (
        Comparison,
        Diagnosis,
        OpenedNetwork,
        Run,
        adopt,
        compare,
        diagnose,
        load,
        open_network,
        process,
        train,
    )

__version__ = "0.1.0"
__all__ = [
    "BridgeError", "Comparison", "Diagnosis", "InputError", "OpenedNetwork", "Run", "adopt", "compare",
    "diagnose", "load", "open_network", "process", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "java":
        return importlib.import_module(f"{__name__}.java")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
