"""Starts the JVM when something first needs it and translates its errors. The only module that imports jnius."""

import atexit
import gc
import locale
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import fetching, jars, rehearsal, startup_archive
from dl4j_bridge.java.installation import Java, find_java
from dl4j_bridge.settings.training import RunSettings

# Share of the machine's memory. The heap holds little: ND4J's arrays live outside of it, and JavaCPP allows them twice
# the size of the heap.
HEAP_SHARE = 0.25
LARGEST_HEAP = 4 << 30

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _StartSettings:
    """What the JVM is started with and what cannot change afterwards."""

    backend: str = RunSettings.backend
    nd4j_threads: int = 1
    own_class_path: tuple[Path, ...] = ()


# Reentrant, and held during the whole start: a second thread waits until the JVM is ready.
_lock = threading.RLock()
_settings = _StartSettings()
_threads = 1
_started = False
# `adopted` is set in each Python thread that has called `StartUp.adoptThread`.
_this_thread = threading.local()


def configure(
    threads: int | None = None,
    backend: str | None = None,
    nd4j_threads: int | None = None,
    own_class_path: Sequence[Path] = (),
) -> None:
    """Choose what the JVM starts with, or change what a running JVM allows to change. Does not start it.

    Parameters
    ----------
    threads : int, optional
        Number of threads that share a training step of the fused layers, initially 1. Can change at any time.
    backend : str, optional
        ND4J backend, ``cpu`` or ``cuda``; initially the default of `RunSettings`.
    nd4j_threads : int, optional
        Number of OpenMP threads of ND4J's own operations, which the stock layers consist of. Initially 1, because more
        are slower for arrays of this size.
    own_class_path : sequence of Path
        The user's jars and folders of classes, added after the package's jars: if both contain DL4J, the package's
        version is used.

    Raises
    ------
    BridgeError
        If the JVM already runs with another backend or number of OpenMP threads or without one of the jars, or if
        other code in this process started it.

    Notes
    -----
    None leaves a setting as it is.
    """
    global _settings, _threads
    with _lock:
        _check_jvm_is_ours()
        added = tuple(path for path in own_class_path if path not in _settings.own_class_path)
        wanted = _StartSettings(
            backend or _settings.backend, nd4j_threads or _settings.nd4j_threads, _settings.own_class_path + added
        )
        if _started and replace(wanted, own_class_path=_settings.own_class_path) != _settings:
            raise BridgeError(
                "JVM",
                f"already started with backend={_settings.backend!r}, nd4j_threads={_settings.nd4j_threads}",
                "start another Python process for other settings",
            )
        if _started and added:
            raise BridgeError(
                "JVM", f"already started without {added[0]}", "start another Python process for other jars"
            )
        _settings, _threads = wanted, threads or _threads
        if _started:
            java_class("dl4jbridge.fused.Workers").setThreads(_threads)


def java_class(name: str) -> Any:
    """Return the pyjnius class for a Java class, after starting the JVM if it does not run yet.

    Parameters
    ----------
    name : str
        Fully qualified name of the class.

    Raises
    ------
    BridgeError
        If the JVM cannot start: no usable Java, missing jars, wrong JVM options, or a JVM started by other code.
    InputError
        If Java cannot load the class.
    """
    jnius = _jnius()
    try:
        return jnius.autoclass(name)
    except jnius.JavaException as e:
        reason = ": ".join(_name_and_message(e))
        raise InputError(
            name, f"not loaded ({reason})", "wanted its full name, and its jar in dl4j_bridge.java.use([...])"
        ) from e


def cast(name: str, value: Any) -> Any:
    """Return a Java object as one of another class that it has, for a method that exists for several classes.

    Parameters
    ----------
    name : str
        Fully qualified name of the class or interface.
    value : object
        A pyjnius proxy.

    Raises
    ------
    InputError
        If the object is not of that class.
    """
    java_class(name)
    jnius = _jnius()
    try:
        return jnius.cast(name.replace(".", "/"), value)
    except (jnius.JavaException, TypeError) as e:
        raise InputError("cast()", f"an object of {type(value).__name__}", f"wanted one of {name}") from e


def is_java(value: object) -> bool:
    """Return True for a pyjnius proxy of a Java object. Never starts the JVM."""
    jnius = sys.modules.get("jnius")
    return jnius is not None and isinstance(value, jnius.JavaClass)


@contextmanager
def java_errors(subject: str) -> Iterator[None]:
    """Turn an exception thrown in Java into a one-line error about `subject`. Starts the JVM if it does not run yet.

    Parameters
    ----------
    subject : str
        The first words of the error, such as the name of a file.

    Raises
    ------
    BridgeError
        With the class and the message of the innermost Java exception.
    OSError
        If the Java exception is an IOException. The caller adds the name of the file.
    """
    jnius = _jnius()
    try:
        yield
    except jnius.JavaException as e:
        name, message = _name_and_message(e)
        if name == "IOException":
            raise OSError(message) from e
        if "OutOfMemoryError" in name or "bad_alloc" in message:
            raise BridgeError(subject, f"out of memory ({message})", "wanted less: --hidden, --batch or --tbptt") from e
        raise BridgeError(subject, f"Java reports {name}: {message}", "run again with --debug for the details") from e


def _name_and_message(error: Any) -> tuple[str, str]:
    """Class, without its package, and message of a Java exception."""
    return (error.classname or "").rpartition(".")[2], " ".join((error.innermessage or str(error)).split())


def release_memory() -> None:
    """Free the native memory of objects that nothing references any more. Does nothing before the JVM starts.

    Java would do so when its heap is full, which takes dozens of trainings: the objects that hold it are small.
    """
    if _started:
        gc.collect()
        java_class("java.lang.System").gc()


def backend() -> str:
    """Return the ND4J backend that the JVM was or will be started with."""
    return _settings.backend


def prepare() -> dict[str, Any]:
    """Create Java's start-up archive unless it exists, so that the next start is fast. Does not start the JVM.

    Returns
    -------
    dict
        ``jars``, the number of DL4J's jars, and ``archive``, the path of the archive or None if Java cannot create it.
    """
    java, class_path = find_java(), jars.class_path()
    archive = startup_archive.get_or_make(java, class_path, _options(java))
    return {"jars": len(class_path) - 1, "archive": str(archive) if archive else None}


def openblas_core() -> str | None:
    """Return the name of the OpenBLAS kernels that fit this CPU, or None to leave the choice to OpenBLAS.

    ND4J ships OpenBLAS 0.3.19 of 2021. On CPUs that are newer, such as AMD's Zen 4 and 5, it falls back to kernels
    written in 2007, which run at a quarter of the speed. ``OPENBLAS_CORETYPE`` in the environment may be meant for
    another OpenBLAS, such as NumPy's, so the variable that overrides the choice is ``DL4J_BRIDGE_OPENBLAS_CORETYPE``.
    """
    if override := os.environ.get("DL4J_BRIDGE_OPENBLAS_CORETYPE"):
        return override
    from numpy._core._multiarray_umath import __cpu_features__ as features  # type: ignore[import-not-found]

    if features.get("AVX512_SKX"):
        return "SkylakeX"
    return "Haswell" if features.get("AVX2") and features.get("FMA3") else None


def heap_bytes() -> int:
    """Return the largest size of the Java heap: a quarter of this process's memory limit, at most 4 GiB."""
    return min(int(memory_bytes() * HEAP_SHARE), LARGEST_HEAP)


def memory_bytes() -> int:
    """Return the memory of this machine, or the limit of this process's group if that is lower."""
    import psutil

    memory = int(psutil.virtual_memory().total)
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            memory = min(memory, int(Path(limit).read_text()))
    return memory


def start_early() -> None:
    """Start the JVM unless it runs, so that Java loads ND4J's libraries while Python does something else.

    A JVM that cannot start is reported when something needs it.
    """
    with suppress(BridgeError):
        _start_once()


def _start_once() -> None:
    global _started
    if not _started:
        with _lock:
            if not _started:
                _start(_settings, _threads)
                _started = True


def _jnius() -> Any:
    """Return the jnius module with a running JVM and the calling thread ready for ND4J."""
    _start_once()
    import jnius

    if not getattr(_this_thread, "adopted", False):
        jnius.autoclass("dl4jbridge.StartUp").adoptThread()
        _this_thread.adopted = True
    return jnius


def _check_jvm_is_ours() -> None:
    import jnius_config

    if jnius_config.vm_running and not _started:
        raise BridgeError(
            "JVM", "already started by other code", "start another Python process, in which dl4j_bridge starts it"
        )


def _start(settings: _StartSettings, threads: int) -> None:
    import jnius_config

    _check_jvm_is_ours()
    java = find_java()
    if settings.backend == "cpu":
        fetching.fetch_missing()
    package_class_path = jars.class_path(settings.backend)
    os.environ["JAVA_HOME"] = str(java.home)
    if locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX"):
        # Java would read and write file names in ASCII.
        os.environ["LC_ALL"] = "C.UTF-8"
    # OpenMP reads the number of threads when its library loads.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(settings.nd4j_threads)
    if core := openblas_core():
        os.environ["OPENBLAS_CORETYPE"] = core
    options, archive = _options(java), None
    if settings.backend == "cpu":
        # The archive covers the front of the class path, so the user's own jars do not invalidate it.
        archive = startup_archive.get_or_make(java, package_class_path, options)
        options += startup_archive.options(archive, java)
    _log.info("Java %s at %s (%s) with %s", java.version, java.home, java.source, " ".join(options))
    jnius_config.set_options(*options)
    jnius_config.set_classpath(*(str(path) for path in [*package_class_path, *settings.own_class_path]))
    with rehearsal.rehearsed(java, options):
        jnius = _import_jnius(java, options)
    if settings.backend == "cpu":
        found = startup_archive.libraries(archive) if archive else None
        start_up = jnius.autoclass("dl4jbridge.StartUp")
        start_up.loadInBackground(found and str(found))
        # A process that ends while its libraries are loaded is aborted.
        atexit.register(start_up.adoptThread)
    jnius.autoclass("dl4jbridge.fused.Workers").setThreads(threads)


def _import_jnius(java: Java, options: list[str]) -> Any:
    """Import jnius, which starts the JVM, and capture stderr, where a JVM that fails to start gives the reason."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        failure: Exception | None = None
        try:
            import jnius

            jnius.autoclass("java.lang.System")
        except Exception as e:
            failure = e
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        captured.seek(0)
        text = captured.read().decode(errors="replace").strip()
    if failure is not None:
        reason = " ".join(text.split()) or str(failure)
        raise BridgeError(
            f"Java {java.version} at {java.home}",
            f"did not start ({reason})",
            f"fix JAVA_HOME or the options {' '.join(options)} and JAVA_TOOL_OPTIONS",
        ) from failure
    if text:
        _log.warning("%s", text)
    return jnius


def _options(java: Java) -> list[str]:
    options = [
        f"-Xmx{heap_bytes() >> 20}m",
        # Leaves Ctrl-C to Python, which finishes the step and saves.
        "-Xrs",
        # Java limits the stack of the main thread to that of its own threads, usually 1 MB. NumPy's `solve` needs more
        # when its OpenBLAS has several threads, and crashed the process.
        "-Xss8m",
        # DL4J's arrays live outside of the heap and are freed when their small Java objects are collected. A small
        # young generation collects them soon, so resident memory stays flat; one collecting thread does not slow
        # down training.
        "-XX:+UseSerialGC",
        "-Xmn64m",
        f"-Dorg.slf4j.simpleLogger.defaultLogLevel={_java_log_level()}",
        # Otherwise JavaCPP queries the memory of this process at each new array: 2 to 3 % of a training step.
        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
        # Set explicitly, because every class prints a warning if the environment does not define it.
        "-Dfile.encoding=UTF-8",
        # No file makes an object in Java, whoever wrote it.
        "-Djdk.serialFilter=!*",
    ]
    if java.major >= 24:
        options += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    with suppress(OSError):
        # Without huge pages, speed varies by some per cent from start to start with the placement of the heap. Where
        # Linux does not grant them, the option makes Java print a warning.
        if "[never]" not in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
            options.append("-XX:+UseTransparentHugePages")
    return options


def _java_log_level() -> str:
    """Return the level of Java's log that corresponds to this package's log level."""
    if _log.isEnabledFor(logging.INFO):
        return "info"
    return "warn" if _log.isEnabledFor(logging.WARNING) else "error"
