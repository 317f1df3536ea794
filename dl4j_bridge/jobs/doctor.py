"""Check the installation, and report how to fix what is missing."""

import hashlib
from collections.abc import Callable
from typing import Any

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import installation, jars, jvm


def examine(threads: int, backend: str) -> dict[str, Any]:
    """Check Java, the jars, the audio library and the backend; a failed check does not stop the others.

    Parameters
    ----------
    threads
        Number of threads for the backend.
    backend
        ``cpu`` or ``cuda``.

    Returns
    -------
    dict
        ``ok, java{version, home, source}, jars{source, count}, archive, backend, openblas, threads, audio, heap_bytes,
        problems[], failed{}``. The value of a failed check is None, and ``failed`` has its problem by its name.
    """
    found: dict[str, Any] = {}
    failed: dict[str, str] = {}

    def check(name: str, look: Callable[[], Any]) -> None:
        try:
            found[name] = look()
        except BridgeError as e:
            failed[name] = str(e)

    check("java", _java)
    check("jars", lambda: _jars(backend))
    check("audio", _audio)
    if "java" in found and "jars" in found:
        check("archive", lambda: (backend == "cpu" and jvm.prepare()["archive"]) or "none: Java starts as it comes")
        check("backend", lambda: _backend(threads, backend))
    return {
        "ok": not failed,
        **{name: found.get(name) for name in ("java", "jars", "archive", "backend")},
        "openblas": jvm.openblas_core() or "kernels of its own choice",
        "threads": threads,
        "audio": found.get("audio"),
        "heap_bytes": jvm.heap_bytes(),
        "problems": list(failed.values()),
        "failed": failed,
    }


def _java() -> dict[str, str]:
    java = installation.find_java()
    return {"version": java.version, "home": str(java.home), "source": java.source}


def _jars(backend: str) -> dict[str, Any]:
    paths = jars.class_path(backend)
    if backend == "cpu":
        # The first path is the jar of this package; the locked jars follow in the order of their list.
        for jar, path in zip(jars.for_platform(jars.current_platform()), paths[1:], strict=True):
            with open(path, "rb") as f:
                if hashlib.file_digest(f, "sha256").hexdigest() != jar.sha256:
                    raise BridgeError(path, "not the locked file (another SHA-256)", "delete it and run: make setup")
    sources = sorted({str(r) for r in jars.repositories() if any(p.is_relative_to(r) for p in paths)})
    return {"source": ", ".join(sources), "count": len(paths)}


def _audio() -> str:
    try:
        import soundfile
    except OSError as e:
        raise BridgeError("libsndfile", f"not loadable ({e})", "run: pip install --force-reinstall soundfile") from e
    return f"libsndfile {soundfile.__libsndfile_version__}"


def _backend(threads: int, backend: str) -> str:
    jvm.configure(threads, backend)
    with jvm.java_errors("ND4J"):
        name = str(jvm.java_class("org.nd4j.linalg.factory.Nd4j").getBackend().getClass().getName())
    return name.rpartition(".")[2]
