"""The captions page and the files of the web client."""

from __future__ import annotations

import re
from html import escape
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import http_response

__all__ = ["StaticFiles"]

# In an installed package, and in the source tree.
_FOLDERS = (Path(__file__).parents[1] / "web", Path(__file__).parents[3] / "clients" / "web")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "/index.html"
_WATCH = "/watch/"
_SERVED = re.compile('content="" data-multilingual="true" data-languages="[a-z ]*"')
_DIRECT = "/index.html#direct"
"""The page for browsers that were not sent to it by another site."""
_DIRECT_SITES = {"none", "same-origin"}
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
    """The files of the web client, held in memory: no request can reach other files."""

    def __init__(self, info: ModelInfo) -> None:
        """Read the files.

        Args:
            info: the served model, which the page shows.
        """
        self._files = _read()
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

    def response(self, request: Request) -> Response | None:
        """Return the response to a request for a page or a file; None: there is none at its path.

        The page is at ``/`` for browsers only; ``/watch/NAME`` redirects to it.
        """
        path, _, query = request.path.partition("?")
        if path == "/" and "text/html" in ",".join(request.headers.get_all("Accept")):
            # Browsers set this header, and no page can change it.
            site = ",".join(request.headers.get_all("Sec-Fetch-Site"))
            return self._file(_DIRECT if site in _DIRECT_SITES else _INDEX)
        if path.startswith(_WATCH) and path != _WATCH:
            # A relative address also works behind a proxy that adds a path prefix.
            room = quote(unquote(path.removeprefix(_WATCH)), safe="")
            return _redirect(f"../?watch={room}" + (f"&{query}" if query else ""))
        return self._file(path) if path != _DIRECT else None

    def _file(self, path: str) -> Response | None:
        content = self._files.get(path)
        if content is None:
            return None
        kind = _TYPES[Path(path.partition("#")[0]).suffix]
        response = http_response(HTTPStatus.OK, content, kind)
        response.headers.update(_HEADERS)
        return response


def _read() -> dict[str, bytes]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    if folder is None:
        return {}
    files = sorted(folder.iterdir())
    return {f"/{file.name}": file.read_bytes() for file in files if file.suffix in _TYPES}


def _redirect(location: str) -> Response:
    response = http_response(HTTPStatus.FOUND, f"see {location}\n")
    response.headers.update(Headers({"Location": location}))
    return response
