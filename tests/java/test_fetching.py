"""Download of jars from a Maven repository, complete or not at all; a local server replaces Central."""

from __future__ import annotations

import hashlib
import http.server
import threading

import pytest

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import fetching, jars
from dl4j_bridge.java.jars import Jar

CONTENTS = {"org/one/1.0/one-1.0.jar": b"1" * 300_000, "org/two/2.0/two-2.0-linux.jar": bytes(range(256)) * 4000}


class Repository(http.server.ThreadingHTTPServer):
    """Serves `CONTENTS`, with byte ranges if `ranges`, and records the requests in `asked`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = True
        self.contents = dict(CONTENTS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/maven2"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        path = self.path.removeprefix("/maven2/")
        self.server.asked.append((path, wanted))
        content = self.server.contents.get(path)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(monkeypatch):
    server = Repository()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(fetching.MIRROR, server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, with a lock file that lists `CONTENTS`."""
    listed = tuple(
        Jar(f"org:{path.split('/')[1]}:1", path, len(content), hashlib.sha256(content).hexdigest(), "any")
        for path, content in CONTENTS.items()
    )
    monkeypatch.setattr(jars, "locked", lambda: listed)
    monkeypatch.setattr(jars, "current_platform", lambda: "linux-x86_64")
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("DL4J_BRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(fetching.OFFLINE, raising=False)
    return tmp_path / "cache"


def held(cache):
    return {path: (cache / path).read_bytes() for path in CONTENTS if (cache / path).exists()}


def test_missing_jars_are_fetched_once(repository, cache):
    assert len(fetching.fetch_missing()) == 2
    assert held(cache) == CONTENTS
    assert fetching.fetch_missing() == []
    assert len(repository.asked) == 2
    assert not list(cache.rglob("*.part"))


def test_jars_in_mavens_repository_are_not_fetched(repository, cache, tmp_path):
    path, content = next(iter(CONTENTS.items()))
    there = tmp_path / "home" / ".m2" / "repository" / path
    there.parent.mkdir(parents=True)
    there.write_bytes(content)
    assert [jar.path for jar in fetching.fetch_missing()] == [p for p in CONTENTS if p != path]


def part_of(cache, path, content):
    part = cache / f"{path}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_resumed(repository, cache, ranges):
    repository.ranges = ranges
    path, content = next(iter(CONTENTS.items()))
    part_of(cache, path, content[:123_456])
    fetching.fetch_missing()
    assert (path, "bytes=123456-") in repository.asked
    assert held(cache) == CONTENTS


def test_a_part_longer_than_the_file_is_downloaded_again(repository, cache):
    path, content = next(iter(CONTENTS.items()))
    part_of(cache, path, content + b"more")
    fetching.fetch_missing()
    assert held(cache) == CONTENTS


def test_a_part_of_another_file_is_refused_and_deleted(repository, cache):
    part_of(cache, next(iter(CONTENTS)), b"x" * 1000)
    with pytest.raises(BridgeError, match="not the locked file"):
        fetching.fetch_missing()
    assert not held(cache)
    fetching.fetch_missing()
    assert held(cache) == CONTENTS


def test_a_changed_file_is_refused(repository, cache):
    path = list(CONTENTS)[1]
    repository.contents[path] = b"evil" + CONTENTS[path][4:]
    with pytest.raises(BridgeError, match=rf"{path}: not the locked file \(another SHA-256\)"):
        fetching.fetch_missing()
    assert list(held(cache)) == list(CONTENTS)[:1]


def test_a_file_that_is_not_there(repository, cache):
    repository.contents.clear()
    with pytest.raises(BridgeError, match=r"not fetched \(404"):
        fetching.fetch_missing()


def test_an_unreachable_repository_gives_one_line(cache, monkeypatch):
    monkeypatch.setenv(fetching.MIRROR, "http://127.0.0.1:9/maven2")
    with pytest.raises(BridgeError, match=r"not fetched .*run: dl4j-bridge fetch$") as e:
        fetching.fetch_missing()
    assert "\n" not in str(e.value)


def test_offline_sends_no_request(repository, cache, monkeypatch):
    monkeypatch.setenv(fetching.OFFLINE, "1")
    with pytest.raises(BridgeError, match=r"org:one:1, org:two:1 missing, and offline is asked for"):
        fetching.fetch_missing()
    assert repository.asked == []
    assert not cache.exists()


def test_two_that_start_at_once_fetch_once(repository, cache):
    both = threading.Barrier(2)
    failures = []

    def start() -> None:
        both.wait()
        try:
            fetching.fetch_missing()
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert held(cache) == CONTENTS
    assert len(repository.asked) == 2


def test_a_cache_that_cannot_be_written(repository, cache):
    cache.write_text("a file in its place")
    with pytest.raises(BridgeError, match="not writable"):
        fetching.fetch_missing()


SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>
<mirror><id>other</id><mirrorOf>jboss</mirrorOf><url>http://other</url></mirror>
<mirror><id>m</id><mirrorOf>{of}</mirrorOf><url>http://mirror/maven/</url></mirror></mirrors></settings>"""


@pytest.mark.parametrize(
    ("of", "wanted"), [("central", "http://mirror/maven"), ("*,!x", "http://mirror/maven"), ("*,!central", None)]
)
def test_the_mirror_of_mavens_settings_is_used(cache, tmp_path, of, wanted):
    assert fetching.mirror() == fetching.CENTRAL
    settings = tmp_path / "home" / ".m2" / "settings.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS.format(of=of))
    assert fetching.mirror() == (wanted or fetching.CENTRAL)
    settings.write_text("not XML")
    assert fetching.mirror() == fetching.CENTRAL
