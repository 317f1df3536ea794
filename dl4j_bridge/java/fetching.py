"""Downloads DL4J's jars for this platform from Maven Central into the cache folder, once."""

import logging
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
# Seconds without a byte after which a download fails.
TIMEOUT = 60
BLOCK = 1 << 18

# Called with the number of bytes that have arrived since the last call.
Advance = Callable[[int], None]

_log = logging.getLogger(__name__)


def offline() -> bool:
    """Return True if downloads are forbidden: ``--offline`` or ``DL4J_BRIDGE_OFFLINE=1``."""
    return os.environ.get(OFFLINE, "") not in ("", "0")


def mirror() -> str:
    """Return the URL to download from: ``DL4J_BRIDGE_MAVEN``, else the mirror in ``settings.xml``, else Central."""
    return (os.environ.get(MIRROR) or _mirror_of_maven() or CENTRAL).rstrip("/")


def fetch_missing() -> list[Jar]:
    """Download the jars that this platform needs and no repository on this machine has.

    A jar is accepted only with the SHA-256 of the lock file. An interrupted download is resumed. If several processes
    need the same jars, one downloads them and the others wait.

    Returns
    -------
    list of Jar
        The downloaded jars.

    Raises
    ------
    BridgeError
        If the package is offline, the server is not reachable or serves another file, or the cache is not writable.
        What has arrived is kept.
    """
    wanted = jars.missing()
    if not wanted:
        return []
    if offline():
        raise BridgeError("jars", f"{jars.summary(wanted)} missing, and offline is asked for", "run: dl4j-bridge fetch")
    from filelock import FileLock

    place = jars.repositories()[0]
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "fetch.lock"):
            wanted = jars.missing()
            with _progress(sum(jar.size for jar in wanted), len(wanted)) as advance:
                for jar in wanted:
                    _fetch(jar, place, advance)
    except OSError as e:
        raise BridgeError(place, f"not writable ({e})", "make room, or name another folder in DL4J_BRIDGE_CACHE") from e
    return wanted


def _fetch(jar: Jar, place: Path, advance: Advance) -> None:
    import pooch
    import requests

    url, target = f"{mirror()}/{jar.path}", place / jar.path
    # Pooch's log lines would break the progress bar.
    pooch.get_logger().setLevel("WARNING")

    def download(url: str, output_file: str, _: object) -> None:
        part = target.with_name(target.name + ".part")
        _resume(url, part, advance)
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


def _resume(url: str, part: Path, advance: Advance) -> None:
    """Append to a partial file if the server supports ranges, otherwise download it from the start."""
    import requests

    part.parent.mkdir(parents=True, exist_ok=True)
    had = part.stat().st_size if part.exists() else 0
    with requests.get(url, stream=True, timeout=TIMEOUT, headers={"Range": f"bytes={had}-"} if had else {}) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            return _resume(url, part, advance)
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        advance(had if resumed else 0)
        with open(part, "ab" if resumed else "wb") as f:
            for block in answer.iter_content(BLOCK):
                f.write(block)
                advance(len(block))


def _mirror_of_maven() -> str | None:
    """Return the URL that replaces Central in the user's ``settings.xml``."""
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
def _progress(size: int, count: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    stderr = Console(stderr=True, highlight=False, quiet=not _log.isEnabledFor(logging.WARNING))
    stderr.print(
        f"fetching {count} jars of DL4J, {size / 1e6:.0f} MB, once, from {mirror()}",
        soft_wrap=not stderr.is_terminal,
        markup=False,
    )
    if not stderr.is_terminal:
        yield lambda count: None
        return
    columns = (TextColumn("jars"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr) as bar:
        task = bar.add_task("jars", total=size)
        yield lambda count: bar.advance(task, count)
