"""The captions page and the files of the web client."""

from __future__ import annotations

import re
from hashlib import sha256
from html import escape
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import ANY_ORIGIN, http_response

__all__ = ["StaticFiles", "wants_page"]

# In an installed package, and in the source tree.
_FOLDERS = (Path(__file__).parents[1] / "web", Path(__file__).parents[3] / "clients" / "web")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".mp3": "audio/mpeg",
}
_MODULE = ".js"
_INDEX = "/index.html"
_MISSING = "/missing.html"
_ASK = "/watch.html"
_WATCH = "/watch"
_SERVED = re.compile('content="" data-multilingual="true" data-languages="[a-z ]*"')
_DIRECT = "/index.html#direct"
"""The page for browsers that were not sent to it by another site."""
_DIRECT_SITES = {"none", "same-origin"}
_ADDRESS = b'data-address=""'
_HEADERS = {
    # Nothing from other hosts, no inline code, and no frames on other sites.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), display-capture=(self), screen-wake-lock=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class StaticFiles:
    """The files of the web client, held in memory: no request can reach other files.

    A browser keeps the files and asks before each use whether they have changed (``ETag``). It does
    not keep the page: what the page may do depends on who sent the browser to it.
    """

    def __init__(self, info: ModelInfo) -> None:
        """Read the files.

        Args:
            info: the served model, which the page shows.
        """
        self._files = _read()
        self._tags = {path: _tag(content) for path, content in self._files.items()}
        self._missing = self._files.pop(_MISSING, b"").decode()
        served = (
            f'content="{escape(info.name)}" '
            f'data-multilingual="{str(len(info.languages) > 1).lower()}" '
            f'data-languages="{escape(" ".join(info.languages))}"'
        )
        if _INDEX in self._files:
            page = _SERVED.sub(lambda _: served, self._files[_INDEX].decode(), count=1)
            self._files[_INDEX] = page.encode()
            direct = page.replace(served, f'{served} data-direct="true"')
            self._files[_DIRECT] = direct.encode()

    def response(self, request: Request, address: str = "") -> Response | None:
        """Return the response to a request for a page or a file; None: there is none at its path.

        The page is at ``/`` for browsers only; ``/watch/NAME`` redirects to it, and
        ``/watch`` is a page that asks for the name.

        Args:
            request: the request.
            address: address of the page for other devices, if it differs from the requested one.
        """
        path, _, query = request.path.partition("?")
        if path == "/" and wants_page(request):
            # Browsers set this header, and no page can change it.
            site = ",".join(request.headers.get_all("Sec-Fetch-Site"))
            return self._page(_DIRECT if site in _DIRECT_SITES else _INDEX, address)
        # Relative addresses also work behind a proxy that adds a path prefix.
        if path == _WATCH:
            return self._page(_ASK, "")
        if path == f"{_WATCH}/":
            return _redirect(f"..{_WATCH}")
        if path.startswith(f"{_WATCH}/"):
            room = quote(unquote(path.removeprefix(f"{_WATCH}/")), safe="")
            return _redirect(f"../?watch={room}" + (f"&{query}" if query else ""))
        if path == _INDEX:
            return self._page(_INDEX, address)
        return self._file(request, path) if path != _DIRECT else None

    def module(self, request: Request) -> Response | None:
        """Return the response to a request for a script, which every page may import."""
        path = request.path.partition("?")[0]
        return self._file(request, path) if path.endswith(_MODULE) else None

    def missing(self, request: Request) -> Response | None:
        """Return the page for a path that does not exist; None: no browser asks."""
        if not (self._missing and wants_page(request)):
            return None
        path = request.path.partition("?")[0]
        # Relative to the path, because a proxy may add a prefix that is not known here.
        root = "../" * (path.count("/") - 1) or "./"
        page = self._missing.replace("{path}", escape(path[:200])).replace("{root}", root)
        return _secured(http_response(HTTPStatus.NOT_FOUND, page, _TYPES[".html"]))

    def _page(self, path: str, address: str) -> Response | None:
        content = self._files.get(path)
        if content is None:
            return None
        shown = f'data-address="{escape(address)}"'.encode()
        page = content.replace(_ADDRESS, shown, 1) if address else content
        return _secured(http_response(HTTPStatus.OK, page, _TYPES[".html"]))

    def _file(self, request: Request, path: str) -> Response | None:
        content = self._files.get(path)
        if content is None:
            return None
        tag = self._tags[path]
        if tag in _tags_of(request):
            response = http_response(HTTPStatus.NOT_MODIFIED, b"")
            del response.headers["Content-Length"], response.headers["Content-Type"]
        else:
            response = _secured(http_response(HTTPStatus.OK, content, _TYPES[Path(path).suffix]))
        del response.headers["Cache-Control"]
        response.headers.update({**ANY_ORIGIN, "Cache-Control": "no-cache", "ETag": tag})
        return response


def wants_page(request: Request) -> bool:
    """Return whether a request comes from a browser that is to show a page."""
    return "text/html" in ",".join(request.headers.get_all("Accept"))


def _read() -> dict[str, bytes]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    if folder is None:
        return {}
    files = sorted(folder.iterdir())
    return {f"/{file.name}": file.read_bytes() for file in files if file.suffix in _TYPES}


def _tag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:32]}"'


def _tags_of(request: Request) -> set[str]:
    """Return the versions of a file that the browser has."""
    known = ",".join(request.headers.get_all("If-None-Match")).split(",")
    return {tag.strip().removeprefix("W/") for tag in known}


def _secured(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


def _redirect(location: str) -> Response:
    response = http_response(HTTPStatus.FOUND, f"see {location}\n")
    response.headers.update(Headers({"Location": location}))
    return response
