"""A real server on this machine for what is fetched: slow, cut short or wrong as a test likes."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CONTENT = bytes(range(256)) * 4096 * 3  # 3 MiB


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Diary:
    """Progress that is remembered."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.advances: list[tuple[int, int | None]] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def advance(self, done: int, total: int | None) -> None:
        self.advances.append((done, total))


class FileServer(ThreadingHTTPServer):
    """Serves `content` at every path, with ranges; may cut replies short, or hold them back.

    Attributes:
        files: what other paths than those of weights have, by the ends of the paths.
        cuts: how many bytes each of the next replies has before the connection is cut.
        requests: (method, path, Range, Authorization) of every request, in order.
        release: replies wait for it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reply)
        self.content = CONTENT
        self.files: dict[str, bytes | None] = {".json": None}
        self.status: int | None = None
        self.ranges = True
        self.cuts: list[int] = []
        self.requests: list[tuple[str, str, str | None, str | None]] = []
        self.release = threading.Event()
        self.release.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Reply(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.requests.append((self.command, self.path, wanted, self.headers["Authorization"]))
        server.release.wait(120)
        if server.status is not None:
            self.send_error(server.status)
            return
        content = next(
            (own for end, own in server.files.items() if self.path.endswith(end)), server.content
        )
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{sha256(content)}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)


def no_proxies_and_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes anywhere but to this machine, and in nobody's name."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "")
