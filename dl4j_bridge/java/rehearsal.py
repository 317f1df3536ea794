"""Tries the JVM's options in a process of its own before they are used here for the first time.

A JVM that cannot start ends the process that it is embedded in, without an exception. A start that succeeded is
remembered together with everything that can make it fail, so the rehearsal costs a usual start nothing.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import startup_archive
from dl4j_bridge.java.installation import Java

# Variables whose options a JVM adds to those that it is given.
VARIABLES = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
TIMEOUT = 60


@contextmanager
def rehearsed(java: Java, options: Sequence[str]) -> Iterator[None]:
    """Start and end a JVM with these options before the body starts one here, unless they have succeeded before.

    Raises
    ------
    BridgeError
        If it does not start; names the variable of the environment that may be the reason.
    """
    _check_working_directory()
    record = _record(java, options)
    if record.exists():
        yield
        return
    _rehearse(java, options)
    yield
    # If it cannot be written, the next start is rehearsed again.
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()


def _rehearse(java: Java, options: Sequence[str]) -> None:
    failure = _failure([str(java.program), *options, "-version"])
    if failure is None:
        return
    given = [f"{name}={os.environ[name]}" for name in VARIABLES if os.environ.get(name)]
    limit = _address_space()
    if limit:
        given.append(f"ulimit -v {limit >> 10}")
    raise BridgeError(
        f"Java {java.version} at {java.home}",
        f"does not start ({failure})",
        f"fix or unset {', '.join(given)}" if given else f"fix JAVA_HOME or the options {' '.join(options)}",
    )


def _failure(command: list[str]) -> str | None:
    environment = {name: value for name, value in os.environ.items() if name != "JDK_JAVA_OPTIONS"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return " ".join(str(e).split())
    if done.returncode == 0:
        return None
    said = [line for line in (done.stderr + done.stdout).splitlines() if not line.startswith("Picked up ")]
    return " ".join(" ".join(said).split())[:300] or f"exit status {done.returncode}"


def _record(java: Java, options: Sequence[str]) -> Path:
    """The file whose presence means that a start with all of this has succeeded."""
    setting = (str(java.home), java.version, *options, *(os.environ.get(name) for name in VARIABLES), _address_space())
    return startup_archive.folder() / "started" / hashlib.sha256(repr(setting).encode()).hexdigest()[:16]


def _address_space() -> int | None:
    """The limit of this process's address space in bytes (``ulimit -v``), or None."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _check_working_directory() -> None:
    try:
        os.getcwd()
    except OSError as e:
        raise BridgeError("working directory", f"gone ({e.strerror})", "change to a folder that exists") from None
