"""Access to Java: installation, jars, the JVM, tensors and networks. Only `jvm` imports jnius.

For Java code of your own: `use`, `java_class`, `cast`, `array` and `numpy`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dl4j_bridge.java.handover import array, cast, java_class, numpy, use

__all__ = ["array", "cast", "java_class", "numpy", "use"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.handover"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
