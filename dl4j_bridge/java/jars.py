"""The locked list of jars -> paths, or what is missing and the command that brings it."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from dl4j_bridge.errors import BridgeError

OURS = "dl4j-bridge.jar"


@dataclass(frozen=True)
class Jar:
    """One entry of ``jars.lock.json``, which `make lock` writes from Maven's own resolution.

    Attributes
    ----------
    coordinates
        Maven's group:artifact:version[:classifier].
    path
        In Maven's repository layout.
    size
        In bytes.
    sha256
        In hexadecimal.
    platform
        JavaCPP's name of the one platform that it is for, or ``any``.
    """

    coordinates: str
    path: str
    size: int
    sha256: str
    platform: str


@cache
def locked() -> tuple[Jar, ...]:
    """All jars of all platforms."""
    text = resources.files("dl4j_bridge.java").joinpath("jars.lock.json").read_text()
    return tuple(Jar(**entry) for entry in json.loads(text))


def dl4j_version() -> str:
    """The version of DL4J that is locked."""
    return next(jar.coordinates.split(":")[2] for jar in locked() if ":deeplearning4j-nn:" in jar.coordinates)


def current_platform(system: str = sys.platform, machine: str | None = None) -> str:
    """Give JavaCPP's name of a platform, such as ``linux-x86_64``.

    Raises
    ------
    BridgeError
        DL4J brings no native code for it.
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
    """The jars that a platform needs, native ones of other platforms left out."""
    return [jar for jar in locked() if jar.platform in ("any", name)]


def our_jar() -> Path:
    """The jar that Maven builds from ``java/``: inside the installed package, or in the checkout.

    Raises
    ------
    BridgeError
        It is not built.
    """
    package = Path(__file__).parent.parent
    for place in (package / OURS, package.parent / "target" / OURS):
        if place.is_file():
            return place
    raise BridgeError(OURS, "not built", "run: make setup")


def repositories() -> list[Path]:
    """Where jars are looked for, in this order: ``DL4J_BRIDGE_CACHE``, our cache folder, Maven's local repository."""
    import platformdirs

    places = [Path(platformdirs.user_cache_dir("dl4j_bridge", appauthor=False)), Path.home() / ".m2" / "repository"]
    if own := os.environ.get("DL4J_BRIDGE_CACHE"):
        places.insert(0, Path(own))
    return places


def find(jar: Jar) -> Path | None:
    """The path of a jar whose size is right."""
    for repository in repositories():
        path = repository / jar.path
        if path.is_file() and path.stat().st_size == jar.size:
            return path
    return None


def class_path(backend: str = "cpu") -> list[Path]:
    """Our jar and DL4J's, for this platform only.

    Raises
    ------
    BridgeError
        Names what is missing and the command that brings it.
    """
    if backend == "cuda":
        # The list locks the CPU's jars. Those of CUDA are a gigabyte; whoever wants them lets Maven list them.
        return [our_jar(), *_cuda_class_path()]
    found = {jar: find(jar) for jar in for_platform(current_platform())}
    if absent := [jar for jar, path in found.items() if path is None]:
        raise BridgeError("jars", f"missing {named(absent)}", "run: dl4j-bridge fetch")
    return [our_jar(), *(path for path in found.values() if path)]


def missing() -> list[Jar]:
    """The jars of this platform that no repository here holds."""
    return [jar for jar in for_platform(current_platform()) if find(jar) is None]


def named(wanted: list[Jar]) -> str:
    """The first of them, and how many more."""
    more = f" and {len(wanted) - 3} more" if len(wanted) > 3 else ""
    return ", ".join(jar.coordinates for jar in wanted[:3]) + more


def _cuda_class_path() -> list[Path]:
    listing = Path(__file__).parent.parent.parent / "target" / "cuda.classpath"
    if not listing.is_file():
        raise BridgeError("--backend cuda", "the CUDA jars are not set up", "run: make cuda")
    return [Path(p) for p in listing.read_text().strip().split(os.pathsep)]
