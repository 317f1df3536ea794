"""Java's class-data archive: DL4J's classes as the JVM keeps them in memory, so that a start need not read them anew.

An embedded JVM uses such an archive and cannot write one, so a Java program of our own does (``dl4jbridge.StartUp``).
See JEP 310, Application Class-Data Sharing.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dl4j_bridge.java import jars

# Set to 0, Java starts as it comes.
SWITCH = "DL4J_BRIDGE_ARCHIVE"
# Of other Javas and other jars; each has some 35 MB.
KEPT = 3
LIMIT = 120
MAIN = "dl4jbridge.StartUp"


def of(home: Path, version: str, class_path: Sequence[Path], java_options: Sequence[str]) -> Path | None:
    """Give the archive for a Java and its jars, after making it where there is none.

    Parameters
    ----------
    home, version
        Of the Java.
    class_path
        The jars that every start has in front of its class path.
    java_options
        The options of that start.

    Returns
    -------
    Path or None
        None where there can be none, or another process is making it: Java then starts as it comes.
    """
    if os.environ.get(SWITCH) == "0":
        return None
    name = _key(home, version, class_path, java_options)
    try:
        archive = _whole(name)
        if archive is None:
            _make_once(name, home, class_path, java_options)
            archive = _whole(name)
        return archive if archive and archive.stat().st_size else None
    except OSError:
        return None


def options(archive: Path | None, version: str) -> list[str]:
    """Give the options that start Java from an archive; if it does not fit after all, Java does without, silently."""
    if archive is None:
        return []
    tags = ["cds"] if int(version.partition(".")[0]) < 24 else ["cds", "aot"]
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", *(f"-Xlog:{tag}*=off" for tag in tags)]


def libraries(archive: Path) -> Path:
    """Beside an archive stands where the native libraries were found (``StartUp.recallLibraries``)."""
    return archive.with_name(f"{archive.name.partition('.')[0]}.libraries")


def folder() -> Path:
    """Where archives lie."""
    return jars.repositories()[0] / "startup"


def _key(home: Path, version: str, class_path: Sequence[Path], java_options: Sequence[str]) -> str:
    """All that Java compares before it trusts an archive."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in class_path]
    # Properties, such as the level of the log, change nothing in a class.
    chosen = [option for option in java_options if not option.startswith("-D")]
    return hashlib.sha256(repr((str(home), version, files, chosen)).encode()).hexdigest()[:16]


def _whole(name: str) -> Path | None:
    """The archive of that name. Java dies of a shortened one, so its size is part of the file's name."""
    for path in folder().glob(f"{name}.*.jsa"):
        if path.stat().st_size == int(path.suffixes[0][1:]):
            return path
    return None


def _make_once(name: str, home: Path, class_path: Sequence[Path], java_options: Sequence[str]) -> None:
    """Make it in one process at a time; the others do without. An empty file tells that it cannot be made."""
    from filelock import FileLock, Timeout

    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / f"{name}.lock", timeout=0):
            print("preparing Java for quicker starts, once", file=sys.stderr)
            with tempfile.TemporaryDirectory(dir=place) as made_in:
                made, found = _make(Path(made_in), home, class_path, java_options)
                archive = place / f"{name}.{made.stat().st_size}.jsa"
                os.replace(found, libraries(archive))
                os.replace(made, archive)
            _forget_old(place)
    except Timeout:
        return


def _make(made_in: Path, home: Path, class_path: Sequence[Path], java_options: Sequence[str]) -> tuple[Path, Path]:
    """List the classes and libraries that a short training loads, then archive the classes; empty if Java cannot."""
    classes, archive, found = (made_in / name for name in ("classes", "archive", "libraries"))
    program = home / "bin" / ("java.exe" if sys.platform == "win32" else "java")
    java = [str(program), *java_options, "-cp", os.pathsep.join(str(path) for path in class_path)]
    steps = (
        [*java, "-Xshare:off", f"-XX:DumpLoadedClassList={classes}", MAIN, str(made_in / "model.zip"), str(found)],
        [*java, "-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={archive}"],
    )
    try:
        for step in steps:
            subprocess.run(step, capture_output=True, check=True, timeout=LIMIT)
    except (OSError, subprocess.SubprocessError):
        archive.unlink(missing_ok=True)
    for file in (archive, found):
        file.touch()
    return archive, found


def _forget_old(place: Path) -> None:
    by_age = sorted(place.glob("*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[KEPT:]:
        path.unlink(missing_ok=True)
        for beside in (libraries(path), libraries(path).with_suffix(".lock")):
            beside.unlink(missing_ok=True)
