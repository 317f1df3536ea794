"""Brings DL4J's jars for this platform from Maven Central, once, into our cache folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jars
from dl4j_bridge.java.jars import Jar

CENTRAL = "https://repo.maven.apache.org/maven2"
OFFLINE, MIRROR = "DL4J_BRIDGE_OFFLINE", "DL4J_BRIDGE_MAVEN"
# Seconds without a byte.
PATIENCE = 60
BLOCK = 1 << 18

# Takes the bytes that came.
Show = Callable[[int], None]


def offline() -> bool:
    """True where the user wants the network left alone: ``--offline``, or ``DL4J_BRIDGE_OFFLINE=1``."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


def mirror() -> str:
    """Where Maven Central is: ``DL4J_BRIDGE_MAVEN``, a mirror in Maven's ``settings.xml``, or itself."""
    return (os.environ.get(MIRROR) or _mirror_of_maven() or CENTRAL).rstrip("/")


def bring_missing() -> list[Jar]:
    """Fetch what this platform needs and no repository on this machine has.

    A jar counts once its SHA-256 is that of the lock file; what came of one before is gone on with. Processes that
    start at once wait for the first.

    Returns
    -------
    list of Jar
        Those that were fetched.

    Raises
    ------
    BridgeError
        Offline, not reachable, or not the locked file; what has arrived stays.
    """
    if not jars.missing():
        return []
    if offline():
        raise BridgeError(
            "jars", f"{jars.named(jars.missing())} missing, and offline is asked for", "run: dl4j-bridge fetch"
        )
    from filelock import FileLock

    place = jars.repositories()[0]
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "fetch.lock"):
            wanted = jars.missing()
            with _progress(sum(jar.size for jar in wanted), len(wanted)) as show:
                for jar in wanted:
                    _fetch(jar, place, show)
    except OSError as e:
        raise BridgeError(place, f"not writable ({e})", "make room, or name another folder in DL4J_BRIDGE_CACHE") from e
    return wanted


def _fetch(jar: Jar, place: Path, show: Show) -> None:
    import pooch
    import requests

    url, target = f"{mirror()}/{jar.path}", place / jar.path
    # Its lines would tear the bar.
    pooch.get_logger().setLevel("WARNING")

    def download(url: str, output_file: str, _: object) -> None:
        part = target.with_name(target.name + ".part")
        _go_on(url, part, show)
        shutil.move(part, output_file)

    try:
        pooch.retrieve(url, f"sha256:{jar.sha256}", target.name, target.parent, downloader=download)
    except requests.RequestException as e:
        reason = " ".join(str(e).split())
        raise BridgeError(
            url, f"not fetched ({reason})", "look at the network and HTTPS_PROXY, then run: dl4j-bridge fetch"
        ) from e
    except ValueError as e:
        raise BridgeError(url, "not the locked file (another SHA-256)", f"name another mirror in {MIRROR}") from e


def _go_on(url: str, part: Path, show: Show) -> None:
    """Append to what has come of a file so far, where the server can."""
    import requests

    part.parent.mkdir(parents=True, exist_ok=True)
    had = part.stat().st_size if part.exists() else 0
    with requests.get(url, stream=True, timeout=PATIENCE, headers={"Range": f"bytes={had}-"} if had else {}) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            _go_on(url, part, show)
            return
        answer.raise_for_status()
        goes_on = answer.status_code == requests.codes.partial_content
        show(had if goes_on else 0)
        with open(part, "ab" if goes_on else "wb") as f:
            for block in answer.iter_content(BLOCK):
                f.write(block)
                show(len(block))


def _mirror_of_maven() -> str | None:
    """The URL by which the user's Maven replaces Central."""
    try:
        root = ElementTree.parse(Path.home() / ".m2" / "settings.xml").getroot()
    except (OSError, ElementTree.ParseError):
        return None
    for found in root.iterfind(".//{*}mirror"):
        of = (found.findtext("{*}mirrorOf") or "").replace(" ", "").split(",")
        if {"central", "*", "external:*"} & set(of) and "!central" not in of:
            return (found.findtext("{*}url") or "").strip() or None
    return None


@contextmanager
def _progress(size: int, count: int) -> Iterator[Show]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from dl4j_bridge.terminal.console import stderr

    stderr.print(
        f"fetching {count} jars of DL4J, {size / 1e6:.0f} MB, once, from {mirror()}", soft_wrap=True, markup=False
    )
    if not stderr.is_terminal:
        yield lambda count: None
        return
    columns = (TextColumn("jars"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr) as bar:
        task = bar.add_task("jars", total=size)
        yield lambda count: bar.advance(task, count)
