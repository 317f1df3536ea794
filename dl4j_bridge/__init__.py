"""Train a DL4J GravesLSTM on a dry and a processed recording, and run it.

>>> import dl4j_bridge
>>> run = dl4j_bridge.load("amp")

Importing this package starts no Java virtual machine and imports nothing heavy; the first use does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dl4j_bridge.api import diagnose, load, train
    from dl4j_bridge.errors import BridgeError, InputError
    from dl4j_bridge.terminal.notebook import Comparison, Diagnosis
    from dl4j_bridge.trained import Run

__version__ = "0.1.0"

_HOMES = {
    "BridgeError": "errors",
    "InputError": "errors",
    "Comparison": "terminal.notebook",
    "Diagnosis": "terminal.notebook",
    "Run": "trained",
    "diagnose": "api",
    "load": "api",
    "train": "api",
}
__all__ = ["BridgeError", "Comparison", "Diagnosis", "InputError", "Run", "diagnose", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
