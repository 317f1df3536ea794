"""The server of the page of a running training: on this computer only, and only for those who know its token."""

from __future__ import annotations

import json
import re
import secrets
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dl4j_bridge.errors import InputError
from dl4j_bridge.untrusted import files

if TYPE_CHECKING:
    from dl4j_bridge.report.live import Live

HOST = "127.0.0.1"
# Seconds that the end waits for a page to fetch the last state, if there is one.
PATIENCE = 4.0
# Maximum size of the sound so far, in bytes.
LARGEST = 64 << 20


@contextmanager
def served(live: Live) -> Iterator[str]:
    """Serve the page of `live`; yields its address, which holds a random token.

    Raises
    ------
    InputError
        If no port is free.
    """
    try:
        server = _Server(live)
    except OSError as e:
        raise InputError("--live", f"no port to listen on ({e.strerror})", "omit --live") from e
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="live page", daemon=True)
    thread.start()
    try:
        yield f"{server.origin}/{server.token}/"
        if time.monotonic() - server.last_read < PATIENCE:
            live.seen.wait(PATIENCE)
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Listens on the loopback address; every thread ends with the program."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, live: Live) -> None:
        self.live = live
        self.token = secrets.token_urlsafe(24)
        self.last_read = -PATIENCE
        super().__init__((HOST, 0), _Handler)

    def server_bind(self) -> None:
        # That of HTTPServer looks for the name of the host, which may take long.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.server_port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Values of the header ``Host``: a page elsewhere whose name now leads here has another one."""
        return f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that closed its connection is no news.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of the page, and refuses all others."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dl4j_bridge", ""
    # Seconds until a silent connection is closed.
    timeout = 30

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return
        live = self.server.live
        self.server.last_read = time.monotonic()
        if path == "":
            self._send("text/html; charset=utf-8", live.html().encode())
        elif path == "live.js":
            self._send("text/javascript; charset=utf-8", live.script())
        elif path == "state.json":
            self._send("application/json", json.dumps(live.state()).encode())
        elif path == live.preview.name:
            self._send_preview()
        elif path.endswith(".png") and (picture := live.picture(path.removesuffix(".png"))):
            self._send("image/png", picture)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        # A body that is not read would be taken for the next request.
        self.close_connection = True
        path = self._path()
        if path is None:
            return
        if path != "stop":
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self.server.live.stop.set()
        self._send("application/json", b"{}")

    def _path(self) -> str | None:
        """The path after the token; None if the request was refused."""
        origin = self.headers.get("Origin")
        hosts = self.server.hosts
        token, slash, path = urlsplit(self.path).path.removeprefix("/").partition("/")
        is_ours = self.headers.get("Host") in hosts and origin in (None, *(f"http://{host}" for host in hosts))
        if not is_ours or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        if not slash:
            # The addresses in the page are relative to its folder.
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return path

    def _send_preview(self) -> None:
        """Send the sound so far, or the range of its bytes that a player asks for."""
        try:
            content = files.read(self.server.live.preview, LARGEST, "wanted a wav file")
        except InputError:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked or asked[0] == "bytes=-":
            self._send("audio/wav", content, {"Accept-Ranges": "bytes"})
            return
        size = len(content)
        first, last = asked[1], asked[2]
        start = int(first) if first else max(size - int(last), 0)
        stop = min(int(last) + 1, size) if first and last else size
        if start >= stop:
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{size}"})
            return
        where = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        self._send("audio/wav", content[start:stop], where, HTTPStatus.PARTIAL_CONTENT)

    def _refuse(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        self._send("text/plain; charset=utf-8", f"{status.value} {status.phrase}\n".encode(), headers, status)

    def _send(
        self, kind: str, content: bytes, headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        always = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        self.send_response(status)
        for name, value in (always | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows the training."""
