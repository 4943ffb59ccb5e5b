"""Answers to HTTP requests: pages, health and figures, and who may open a WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from streamwhisper.server.access.policy import AccessPolicy
from streamwhisper.server.access.rejection import HandshakeRejected, http_response
from streamwhisper.server.dialect import Query
from streamwhisper.server.logs import figures
from streamwhisper.server.metrics import METRICS_CONTENT_TYPE, Metrics
from streamwhisper.server.publishing.rooms import Rooms, is_room
from streamwhisper.server.sessions.startup import Startup
from streamwhisper.server.websocket.routes import STREAM_PATH, Route
from streamwhisper.server.websocket.static_files import StaticFiles

__all__ = ["WATCH_PATH", "HttpEndpoints", "path_of", "peer_of", "query_of"]

log = logging.getLogger(__name__)

WATCH_PATH = "/v1/watch/"
_WELCOME = """\
streamwhisper: sound in, text out, over a WebSocket. This server listens with {model}.

  {scheme}://{host}{path}

In a browser, this address is a page of captions.

Send {{"type": "start"}}, then audio in binary frames (by default 16-bit PCM, 16 kHz, mono),
then {{"type": "end"}}. Text comes back as JSON while you speak: "partial" may still change,
"committed" never does.

From a shell:   streamwhisper stream speech.wav --url {scheme}://{host}{path}
In Python:      streamwhisper.connect("{scheme}://{host}{path}")

Live clients of Deepgram (/v1/listen) and of OpenAI's Realtime API (/v1/realtime) are at home, too.

/healthz and /readyz say how the server is, /metrics what it does (for Prometheus).
"""


class HttpEndpoints:
    """What a server says before there is a WebSocket."""

    def __init__(
        self,
        opening: Startup,
        access: AccessPolicy,
        metrics: Metrics,
        rooms: Rooms,
        routes: Mapping[str, Route],
        *,
        encrypted: bool,
    ) -> None:
        """Answer for one server.

        Args:
            opening: knows the model that is served, once it has loaded.
            access: who may come in.
            metrics: shown, and told of refusals.
            rooms: that can be watched.
            routes: the WebSocket paths that accept audio, and their dialects.
            encrypted: whether the server is reached by TLS.
        """
        self._opening = opening
        self._access = access
        self._metrics = metrics
        self._rooms = rooms
        self._routes = routes
        self._scheme = "wss" if encrypted else "ws"
        self._pages = cache(StaticFiles)

    async def process_request(
        self, websocket: ServerConnection, request: Request
    ) -> Response | None:
        """Answer plain HTTP requests; None lets a WebSocket handshake go on."""
        path = path_of(request)
        if path == "/healthz":
            return http_response(HTTPStatus.OK, "ok\n")
        if path == "/readyz":
            return self.readiness()
        try:
            return await self._answer(websocket, request, path)
        except HandshakeRejected as refusal:
            self._metrics.count_error(refusal.code)
            route = self._routes.get(path)
            if route is not None:
                self._metrics.sessions_refused.inc()
            log.info(
                "refused %s: %s",
                path[:200],
                refusal.code,
                extra=figures(
                    address=self._access.address(request, peer_of(websocket)),
                    status=refusal.status.value,
                ),
            )
            if route is not None:
                return route.refuse(refusal, str(websocket.id))
            return refusal.response()

    def process_response(
        self, websocket: ServerConnection, request: Request, response: Response
    ) -> None:
        """Add the headers of what waits at the path to the answer that opens a WebSocket."""
        route = self._routes.get(path_of(request))
        if route is not None and response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers.update(route.headers(query_of(request), str(websocket.id)))

    def obstacle(self) -> str | None:
        """Why nobody can come in at present."""
        try:
            self._access.check_slots()
            self._opening.check()
        except HandshakeRejected as refusal:
            return refusal.message
        return None

    async def _answer(
        self, websocket: ServerConnection, request: Request, path: str
    ) -> Response | None:
        self._access.check_source(request)
        if path in self._routes:
            client = self._access.authenticate(request, peer_of(websocket))
            self._access.check_running()
            await self._opening.wait()
            route, query = self._routes[path], query_of(request)
            self._access.check_slots(client)
            self._opening.check()
            route.check(query, self._opening.info)
            self._access.check_slots(client, route.slots(query))
            return None
        if path.startswith(WATCH_PATH):  # viewers need no key
            return self._viewer(path.removeprefix(WATCH_PATH))
        if path == "/metrics":
            self._access.authenticate(request, peer_of(websocket))
            return http_response(HTTPStatus.OK, self._metrics.render(), METRICS_CONTENT_TYPE)
        await self._opening.wait()
        info = self._opening.info
        if (page := self._pages(info).response(request)) is not None:
            return page
        if path == "/":
            return self._welcome(request, info.name)
        return http_response(
            HTTPStatus.NOT_FOUND,
            f"nothing at {path}; streams are at {STREAM_PATH}, and / says how to use them\n",
        )

    def _welcome(self, request: Request, model: str) -> Response:
        text = _WELCOME.format(
            model=model,
            scheme=self._scheme,
            host=request.headers.get("Host", "127.0.0.1"),
            path=STREAM_PATH,
        )
        return http_response(HTTPStatus.OK, text)

    def _viewer(self, room: str) -> Response | None:
        if not is_room(room):
            return http_response(
                HTTPStatus.NOT_FOUND,
                f"no room can be called {room[:80]!r}; a name has 1 to 64 letters, digits, dots, "
                "dashes and underscores\n",
            )
        self._access.check_running()
        if self._rooms.full:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_many_viewers",
                f"All {self._rooms.options.max_viewers} viewer slots are in use. Try again in a "
                "few seconds.",
            )
        return None

    def readiness(self) -> Response:
        """Whether somebody may come in, and why not."""
        obstacle = self.obstacle()
        if obstacle is None:
            return http_response(HTTPStatus.OK, "ready\n")
        return http_response(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {obstacle}\n")


def path_of(request: Request) -> str:
    """What is asked for, without its query."""
    return request.path.partition("?")[0]


def query_of(request: Request) -> Query:
    """What is asked for beside the path, by name."""
    return parse_qs(request.path.partition("?")[2], keep_blank_values=True)


def peer_of(websocket: ServerConnection) -> str:
    """The address at the other end."""
    address: Any = websocket.remote_address
    return str(address[0]) if address else ""
