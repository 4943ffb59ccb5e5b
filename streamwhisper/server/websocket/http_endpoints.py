"""HTTP endpoints: web pages, health, metrics, and the handshakes of WebSockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from streamwhisper.control_characters import escape_controls
from streamwhisper.server.access.origins import is_loopback
from streamwhisper.server.access.policy import network_of
from streamwhisper.server.access.rejection import ANY_ORIGIN, HandshakeRejected, http_response
from streamwhisper.server.access.tls import lan_address
from streamwhisper.server.context import ServerContext
from streamwhisper.server.dialect import Query
from streamwhisper.server.logs import figures
from streamwhisper.server.metrics import METRICS_CONTENT_TYPE
from streamwhisper.server.publishing.rooms import ROOM_NAME, is_room
from streamwhisper.server.websocket.paced import PacedConnection
from streamwhisper.server.websocket.room_link import is_room_link, qr_code
from streamwhisper.server.websocket.routes import STREAM_PATH, Route
from streamwhisper.server.websocket.static_files import StaticFiles, wants_page

__all__ = ["WATCH_PATH", "HttpEndpoints", "path_of", "peer_of", "query_of"]

log = logging.getLogger(__name__)

WATCH_PATH = "/v1/watch/"
_QR_PATH = "/qr.svg"
_EVERYWHERE = {"0.0.0.0", "::"}  # hosts that stand for all interfaces
_PREFLIGHT = {
    "Access-Control-Allow-Headers": "Authorization",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Max-Age": "600",
}
"""Lets a page of another origin ask, with its token, why a WebSocket was refused."""
_WELCOME = """\
streamwhisper: live speech-to-text over WebSocket. Model: {model}

  {scheme}://{host}{path}

Open this address in a browser for live captions.

Protocol: send {{"type": "start"}}, then audio in binary frames (default: 16-bit PCM, 16 kHz, mono),
then {{"type": "end"}}. The server returns JSON messages while you speak: "partial" text may still
change, "committed" text is final.

Shell:   streamwhisper stream speech.wav --url {scheme}://{host}{path}
Python:  streamwhisper.connect("{scheme}://{host}{path}")

Clients of Deepgram (/v1/listen, /v2/listen) and of the OpenAI Realtime API (/v1/realtime) are
supported.

Status: /healthz, /readyz. Metrics for Prometheus: /metrics
"""


class HttpEndpoints:
    """Answers plain HTTP requests, and accepts or rejects WebSocket handshakes."""

    def __init__(self, context: ServerContext, routes: Mapping[str, Route]) -> None:
        """Create the endpoints.

        Args:
            context: the server.
            routes: the WebSocket paths that accept audio, and their dialects.
        """
        self._context = context
        self._startup = context.startup
        self._access = context.access
        self._metrics = context.metrics
        self._rooms = context.rooms
        self._routes = routes
        self._scheme = "ws" if context.options.tls is None else "wss"
        self._pages = cache(StaticFiles)

    async def process_request(
        self, websocket: ServerConnection, request: Request
    ) -> Response | None:
        """Return the response to a plain HTTP request; None: continue the WebSocket handshake."""
        path = path_of(request)
        if path == "/healthz":
            return http_response(HTTPStatus.OK, "ok\n")
        if path == "/readyz":
            return self.readiness()
        if request.method == "OPTIONS":
            response = http_response(HTTPStatus.OK, b"")
            response.headers.update({**ANY_ORIGIN, **_PREFLIGHT})
            return response
        try:
            return await self._answer(websocket, request, path)
        except HandshakeRejected as rejection:
            self._metrics.count_error(rejection.code)
            route = self._routes.get(path)
            if route is not None:
                self._metrics.sessions_refused.inc()
            log.info(
                "rejected %s: %s",
                escape_controls(path[:200]),
                rejection.code,
                extra=figures(
                    address=self._access.address(request, peer_of(websocket)),
                    status=rejection.status.value,
                ),
            )
            if route is not None:
                return route.refuse(rejection, str(websocket.id))
            return rejection.response()

    def process_response(
        self, websocket: ServerConnection, request: Request, response: Response
    ) -> None:
        """Add the route's headers to the response that opens a WebSocket."""
        route = self._routes.get(path_of(request))
        if route is not None and response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers.update(route.headers(query_of(request), str(websocket.id)))

    def obstacle(self) -> str | None:
        """Return why the server accepts no new client at present; None: it does."""
        try:
            self._access.check_slots()
            self._startup.check()
        except HandshakeRejected as rejection:
            return rejection.message
        return None

    async def _answer(
        self, websocket: ServerConnection, request: Request, path: str
    ) -> Response | None:
        if path.endswith(".js"):  # without secrets, so a page of any origin may import it
            await self._startup.wait()
            if (module := self._pages(self._startup.info).module(request)) is not None:
                return module
        self._access.check_source(request)
        if path in self._routes:
            client = self._access.authenticate(request, peer_of(websocket))
            self._access.check_running()
            await self._startup.wait()
            route, query = self._routes[path], query_of(request)
            only_resume = await self._context.admits_only_resuming(
                client, resumable=path == STREAM_PATH
            )
            self._startup.check()
            route.check(query, self._startup.info)
            if not only_resume:
                self._access.check_slots(client, route.slots(query))
            assert isinstance(websocket, PacedConnection)
            websocket.only_resume = only_resume
            return None
        if path.startswith(WATCH_PATH):  # viewers need no access token
            network = network_of(self._access.address(request, peer_of(websocket)))
            return self._viewer(path.removeprefix(WATCH_PATH), network)
        if path == _QR_PATH:
            return await self._qr(websocket, request)
        if path == "/metrics":
            self._access.authenticate(request, peer_of(websocket), lasting=True)
            return http_response(HTTPStatus.OK, self._metrics.render(), METRICS_CONTENT_TYPE)
        return await self._static(websocket, request, path)

    async def _static(
        self, websocket: ServerConnection, request: Request, path: str
    ) -> Response | None:
        await self._startup.wait()
        info = self._startup.info
        pages = self._pages(info)
        address = self._address_for_others(websocket) if wants_page(request) else ""
        if (page := pages.response(request, address)) is not None:
            return page
        if path == "/":
            return self._welcome(request, info.name)
        if (page := pages.missing(request)) is not None:
            return page
        response = http_response(
            HTTPStatus.NOT_FOUND,
            f"Not found: {path[:200]}. The WebSocket is {STREAM_PATH}; / explains its use.\n",
        )
        response.headers.update(ANY_ORIGIN)
        return response

    def _address_for_others(self, websocket: ServerConnection) -> str:
        """Return the page's address in the local network, for a browser on this machine.

        Empty: the server does not listen there, or the browser is elsewhere and knows its address.
        """
        options = self._context.options
        if options.host not in _EVERYWHERE or not is_loopback(peer_of(websocket)):
            return ""
        host = lan_address()
        scheme = "http" if options.tls is None else "https"
        return f"{scheme}://{host}:{_port_of(websocket)}/" if host else ""

    async def _qr(self, websocket: ServerConnection, request: Request) -> Response:
        url = query_of(request).get("url", [""])[0]
        host, lan = request.headers.get("Host", ""), lan_address()
        hosts = {host} | ({f"{lan}:{_port_of(websocket)}"} if lan else set())
        if not is_room_link(url, hosts):
            return http_response(
                HTTPStatus.BAD_REQUEST,
                f"url is {url[:200]!r}; expected the address of a room on this server, e.g. "
                f"http://{host}/watch/stage\n",
            )
        image = await asyncio.to_thread(qr_code, url)
        return http_response(HTTPStatus.OK, image, "image/svg+xml")

    def _welcome(self, request: Request, model: str) -> Response:
        text = _WELCOME.format(
            model=model,
            scheme=self._scheme,
            host=request.headers.get("Host", "127.0.0.1"),
            path=STREAM_PATH,
        )
        return http_response(HTTPStatus.OK, text)

    def _viewer(self, room: str, network: str) -> Response | None:
        if not is_room(room):
            return http_response(
                HTTPStatus.NOT_FOUND,
                f"{room[:80]!r} is not a room name; expected {ROOM_NAME}\n",
            )
        self._access.check_running()
        self._rooms.check(room, network)
        return None

    def readiness(self) -> Response:
        """Return whether the server accepts new clients, and why not."""
        obstacle = self.obstacle()
        if obstacle is None:
            return http_response(HTTPStatus.OK, "ready\n")
        return http_response(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {obstacle}\n")


def path_of(request: Request) -> str:
    """Return the path of a request, without its query."""
    return request.path.partition("?")[0]


def query_of(request: Request) -> Query:
    """Return the query parameters of a request."""
    return parse_qs(request.path.partition("?")[2], keep_blank_values=True)


def _port_of(websocket: ServerConnection) -> int:
    address: Any = websocket.local_address
    return int(address[1])


def peer_of(websocket: ServerConnection) -> str:
    """Return the address at the other end of a connection."""
    address: Any = websocket.remote_address
    return str(address[0]) if address else ""
