"""What the machine has of what is needed, and how to mend the rest."""

from __future__ import annotations

import hashlib
from typing import Any

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import installation, jars, jvm


def examine(threads: int, backend: str) -> dict[str, Any]:
    """Look at Java, the jars, the audio library and the backend, going on past what fails.

    Returns
    -------
    dict
        ``ok, java{version, home, source}, jars{source, count}, archive, backend, openblas, threads, audio, heap_bytes,
        problems[], failed{}``: the last has the problem of each check that failed, by its name.
    """
    problems: list[str] = []
    failed: dict[str, str] = {}
    result: dict[str, Any] = {
        "ok": False,
        "java": None,
        "jars": None,
        "archive": None,
        "backend": None,
        "openblas": jvm.openblas_core() or "kernels of its own choice",
        "threads": threads,
        "audio": None,
        "heap_bytes": jvm.heap_bytes(),
        "problems": problems,
        "failed": failed,
    }

    def check(name: str, look: Any) -> None:
        try:
            result[name] = look()
        except BridgeError as e:
            failed[name] = str(e)
            problems.append(str(e))

    check("java", _java)
    check("jars", lambda: _jars(backend))
    check("audio", _audio)
    if result["java"] and result["jars"]:
        check("archive", lambda: _archive(backend))
        check("backend", lambda: _backend(threads, backend))
    result["ok"] = not problems
    return result


def _java() -> dict[str, str]:
    java = installation.find_java()
    return {"version": java.version, "home": str(java.home), "source": java.source}


def _jars(backend: str) -> dict[str, Any]:
    paths = jars.class_path(backend)
    if backend == "cpu":
        # Behind our own jar come the locked ones, in their order.
        for jar, path in zip(jars.for_platform(jars.current_platform()), paths[1:], strict=True):
            with open(path, "rb") as f:
                if hashlib.file_digest(f, "sha256").hexdigest() != jar.sha256:
                    raise BridgeError(path, "not the locked file (another SHA-256)", "delete it and run: make setup")
    sources = sorted({str(r) for r in jars.repositories() if any(p.is_relative_to(r) for p in paths)})
    return {"source": ", ".join(sources), "count": len(paths)}


def _archive(backend: str) -> str:
    return (jvm.prepare()["archive"] if backend == "cpu" else None) or "none: Java starts as it comes"


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
