"""Versions of everything that has a part in a result."""

from __future__ import annotations

import platform

import numpy as np

from dl4j_bridge import __version__
from dl4j_bridge.java import jars, jvm


def versions() -> dict[str, str]:
    """All versions; starts the JVM for its own."""
    java = jvm.java_class("java.lang.System").getProperty("java.version")
    return versions_without_java() | {"java": str(java)}


def versions_without_java() -> dict[str, str]:
    """The versions that are known before the JVM is started."""
    return {
        "dl4j_bridge": __version__,
        "dl4j": jars.dl4j_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }
