"""Java's class-data archive: DL4J's classes in the JVM's memory format, which shortens each start.

An embedded JVM can use such an archive but not write one, so a separate Java program writes it
(``dl4jbridge.StartUp``). See JEP 310, Application Class-Data Sharing.
"""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dl4j_bridge.java import jars
from dl4j_bridge.java.installation import Java

_log = logging.getLogger(__name__)

# Environment variable that disables the archive with the value 0.
SWITCH = "DL4J_BRIDGE_ARCHIVE"
# Maximum number of archives in the cache: one per Java and set of jars, about 35 MB each.
KEPT = 3
# Maximum number of seconds for each of the two steps that make an archive.
TIMEOUT = 120
MAIN = "dl4jbridge.StartUp"


def get_or_make(java: Java, class_path: Sequence[Path], java_options: Sequence[str]) -> Path | None:
    """Return the archive for a Java installation and its jars, after creating it if necessary.

    Parameters
    ----------
    java : Java
    class_path : sequence of Path
        The jars at the front of the class path of each start.
    java_options : sequence of str
        The options of the start.

    Returns
    -------
    Path or None
        None if Java cannot create it or another process is creating it: Java then starts without.
    """
    if os.environ.get(SWITCH) == "0":
        return None
    name = _key(java, class_path, java_options)
    try:
        if _complete(name) is None:
            _make_once(name, java, class_path, java_options)
        archive = _complete(name)
        return archive if archive and archive.stat().st_size else None
    except OSError:
        return None


def options(archive: Path | None, java: Java) -> list[str]:
    """Return the JVM options that use an archive. If the archive does not fit, Java silently starts without it."""
    if archive is None:
        return []
    tags = ["cds"] if java.major < 24 else ["cds", "aot"]
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", *(f"-Xlog:{tag}*=off" for tag in tags)]


def libraries(archive: Path) -> Path:
    """Return the file next to an archive that stores the URLs of the native libraries (``StartUp.recallLibraries``)."""
    return archive.with_name(f"{archive.name.partition('.')[0]}.libraries")


def folder() -> Path:
    """Return the folder that contains the archives."""
    return jars.repositories()[0] / "startup"


def _key(java: Java, class_path: Sequence[Path], java_options: Sequence[str]) -> str:
    """Return a hash of everything that Java compares before it accepts an archive."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in class_path]
    # Properties, such as the log level, do not affect the archive.
    relevant = [option for option in java_options if not option.startswith("-D")]
    return hashlib.sha256(repr((str(java.home), java.version, files, relevant)).encode()).hexdigest()[:16]


def _complete(name: str) -> Path | None:
    """Return the archive if it is complete. A truncated one crashes Java, so the file's name contains its size."""
    found = (p for p in folder().glob(f"{name}.*.jsa") if p.stat().st_size == int(p.suffixes[0][1:]))
    return next(found, None)


def _make_once(name: str, java: Java, class_path: Sequence[Path], java_options: Sequence[str]) -> None:
    """Make the archive in one process; others start without. An empty file records that Java cannot make it."""
    from filelock import FileLock, Timeout

    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with suppress(Timeout), FileLock(place / f"{name}.lock", timeout=0):
        if _log.isEnabledFor(logging.WARNING):
            print("preparing Java for quicker starts, once", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=place) as made_in:
            made, found = _make(Path(made_in), java, class_path, java_options)
            archive = place / f"{name}.{made.stat().st_size}.jsa"
            os.replace(found, libraries(archive))
            os.replace(made, archive)
        _delete_old(place)


def _make(made_in: Path, java: Java, class_path: Sequence[Path], java_options: Sequence[str]) -> tuple[Path, Path]:
    """List the classes and libraries that a short training run loads, then archive the classes; empty on failure."""
    classes, archive, found = (made_in / name for name in ("classes", "archive", "libraries"))
    start = [str(java.program), *java_options, "-cp", os.pathsep.join(str(path) for path in class_path)]
    steps = (
        [*start, "-Xshare:off", f"-XX:DumpLoadedClassList={classes}", MAIN, str(made_in / "model.zip"), str(found)],
        [*start, "-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={archive}"],
    )
    try:
        for step in steps:
            subprocess.run(step, capture_output=True, check=True, timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        archive.unlink(missing_ok=True)
    for file in (archive, found):
        file.touch()
    return archive, found


def _delete_old(place: Path) -> None:
    by_age = sorted(place.glob("*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[KEPT:]:
        path.unlink(missing_ok=True)
        libraries(path).unlink(missing_ok=True)
        libraries(path).with_suffix(".lock").unlink(missing_ok=True)
