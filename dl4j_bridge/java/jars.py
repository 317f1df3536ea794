"""Resolves the locked list of jars to paths on this machine, or reports which are missing."""

import json
import os
import platform
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from dl4j_bridge.errors import BridgeError, InputError

OURS = "dl4j-bridge.jar"
CHECKOUT = "use --backend cpu; or run make cuda in a checkout of the source, and the program from there"


@dataclass(frozen=True)
class Jar:
    """One entry of ``jars.lock.json``, which ``make lock`` writes from Maven's own resolution.

    Attributes
    ----------
    coordinates : str
        Maven's ``group:artifact:version[:classifier]``.
    path : str
        Path in Maven's repository layout.
    size : int
        Size in bytes.
    sha256 : str
        Hash in hexadecimal.
    platform : str
        JavaCPP's name of the platform that the jar is for, or ``any``.
    """

    coordinates: str
    path: str
    size: int
    sha256: str
    platform: str


@cache
def locked() -> tuple[Jar, ...]:
    """Return all jars of all platforms."""
    text = resources.files("dl4j_bridge.java").joinpath("jars.lock.json").read_text()
    return tuple(Jar(**entry) for entry in json.loads(text))


def dl4j_version() -> str:
    """Return the version of DL4J in the lock file."""
    return next(jar.coordinates.split(":")[2] for jar in locked() if ":deeplearning4j-nn:" in jar.coordinates)


def current_platform(system: str = sys.platform, machine: str | None = None) -> str:
    """Return JavaCPP's name of a platform, such as ``linux-x86_64``.

    Raises
    ------
    BridgeError
        If DL4J has no native code for the platform.
    """
    systems = {"linux": "linux", "darwin": "macosx", "win32": "windows"}
    machines = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
    machine = machine or platform.machine()
    name = f"{systems.get(system, system)}-{machines.get(machine.lower(), machine)}"
    known = {jar.platform for jar in locked()} - {"any"}
    if name not in known:
        raise BridgeError("platform", name, f"DL4J {dl4j_version()} runs on {', '.join(sorted(known))}")
    return name


def for_platform(name: str) -> list[Jar]:
    """Return the jars that a platform needs: those for any platform and its own native ones."""
    return [jar for jar in locked() if jar.platform in ("any", name)]


def our_jar() -> Path:
    """Return the path of the package's own jar, in the installed package or in the checkout (``target/``).

    Raises
    ------
    BridgeError
        If Maven has not built it.
    """
    package = Path(__file__).parent.parent
    for place in (package / OURS, package.parent / "target" / OURS):
        if place.is_file():
            return place
    raise BridgeError(OURS, "not built", "run: make setup")


def repositories() -> list[Path]:
    """Return the folders that are searched for jars: ``DL4J_BRIDGE_CACHE``, the cache folder, Maven's repository."""
    import platformdirs

    places = [Path(platformdirs.user_cache_dir("dl4j_bridge", appauthor=False)), Path.home() / ".m2" / "repository"]
    if own := os.environ.get("DL4J_BRIDGE_CACHE"):
        places.insert(0, Path(own))
    return places


def find(jar: Jar) -> Path | None:
    """Return the path of a jar with the size of the lock file, or None."""
    paths = (repository / jar.path for repository in repositories())
    return next((path for path in paths if path.is_file() and path.stat().st_size == jar.size), None)


def class_path(backend: str = "cpu") -> list[Path]:
    """Return the paths of the package's own jar and of DL4J's jars for this platform.

    Parameters
    ----------
    backend : {"cpu", "cuda"}

    Raises
    ------
    BridgeError
        If a jar is missing; the message contains the command that fetches it.
    """
    if backend == "cuda":
        # The lock file covers the CPU's jars only. Those of CUDA are a gigabyte, and `make cuda` lists them.
        checkout = Path(__file__).parent.parent.parent
        listing = checkout / "target" / "cuda.classpath"
        if not (checkout / "Makefile").is_file():
            raise BridgeError("--backend cuda", "not in an installed wheel", CHECKOUT)
        if not listing.is_file():
            raise BridgeError("--backend cuda", "the CUDA jars are not set up", "run: make cuda")
        return [our_jar(), *map(Path, listing.read_text().strip().split(os.pathsep))]
    if absent := missing():
        raise BridgeError("jars", f"missing {summary(absent)}", "run: dl4j-bridge fetch")
    return [our_jar(), *(path for jar in for_platform(current_platform()) if (path := find(jar)))]


def users_class_path(text: str) -> list[Path]:
    """Return the paths in a class path as ``java -cp`` takes it, ``lib/*`` included.

    Raises
    ------
    InputError
        If there is no such jar or folder.
    """
    paths: list[Path] = []
    for entry in filter(None, text.split(os.pathsep)):
        path = Path(entry)
        if path.name == "*":
            paths += sorted(path.parent.glob("*.jar"))
        elif path.is_dir() or zipfile.is_zipfile(path):
            paths.append(path)
        else:
            found = "not a jar" if path.exists() else "no such file or folder"
            raise InputError(entry, found, "wanted a jar or a folder of classes")
    return [path.absolute() for path in paths]


def missing() -> list[Jar]:
    """Return the jars of this platform that no repository on this machine has."""
    return [jar for jar in for_platform(current_platform()) if find(jar) is None]


def summary(wanted: list[Jar]) -> str:
    """Return the coordinates of the first three jars and the number of the others."""
    more = f" and {len(wanted) - 3} more" if len(wanted) > 3 else ""
    return ", ".join(jar.coordinates for jar in wanted[:3]) + more
