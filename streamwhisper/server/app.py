"""The server: accepts connections, and stops without losing text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.http11 import Request
from websockets.typing import Subprotocol

from streamwhisper.live.scheduler import Scheduler, SchedulerOptions
from streamwhisper.recognition import Recognizer, remote_state
from streamwhisper.server.access.policy import Client, network_of
from streamwhisper.server.access.rejection import HandshakeRejected, SessionRejected
from streamwhisper.server.context import ServerContext
from streamwhisper.server.logs import wire_log
from streamwhisper.server.options import DEFAULT_PORT, ServerOptions
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.startup import LoadedModel
from streamwhisper.server.sockets import binding
from streamwhisper.server.websocket.connection import Connection
from streamwhisper.server.websocket.http_endpoints import (
    WATCH_PATH,
    HttpEndpoints,
    path_of,
    peer_of,
    query_of,
)
from streamwhisper.server.websocket.paced import (
    SESSION_FRAMES,
    VIEWER_FRAMES,
    PacedConnection,
    paced_connections,
)
from streamwhisper.server.websocket.routes import ROUTES, STREAM_PATH, Handshake
from streamwhisper.server.wyoming.port import WyomingPort

if TYPE_CHECKING:
    from types import TracebackType

    from streamwhisper.protocol import Start
    from streamwhisper.server.publishing.observers import ObservedSession, SessionFactory
    from streamwhisper.server.rest.listener import RestListener
    from streamwhisper.server.rest.options import RestOptions
    from streamwhisper.session.listener import Decoder
    from streamwhisper.session.options import SessionOptions

__all__ = ["DEFAULT_PORT", "STREAM_PATH", "WATCH_PATH", "Server", "ServerOptions"]

_MAX_QUEUE = 1  # messages that the library reads ahead, each of up to `Limits.max_message_bytes`
_VIEWER_PATIENCE = 20.0  # seconds in which a viewer must answer a ping
_BACKLOG = 32  # connections accepted at once; the system lets others wait a second


class Server:
    """A server that listens while its ``async with`` body runs.

    Attributes:
        options: options of the server.
        port: the port it listens on, once it is entered.
        context: the parts that all connections share.
    """

    def __init__(self, recognizer: Recognizer | None, options: ServerOptions | None = None) -> None:
        """Create a server.

        Args:
            recognizer: recognizes the audio of all sessions; None: `open` sets it later.
            options: address, access, limits and features.

        Raises:
            OSError: the folder of records cannot be written to.
        """
        self.options = options or ServerOptions()
        self.port = self.options.port
        self.context = context = ServerContext.create(self.options)
        self._endpoints = HttpEndpoints(context, ROUTES)
        wyoming = self.options.features.wyoming
        self._wyoming = None if wyoming is None else WyomingPort(context, wyoming)
        self._listener: WebSocketServer | None = None
        self._rest: RestListener | None = None
        context.follow()
        context.metrics.follow(
            "ready", "1 if new clients are accepted.", lambda: self._endpoints.obstacle() is None
        )
        if recognizer is not None:
            self.open(recognizer, self.options.scheduler)

    def open(self, recognizer: Recognizer, options: SchedulerOptions) -> None:
        """Accept sessions, also those of clients that wait for the model.

        Args:
            recognizer: recognizes the audio of all sessions.
            options: how its requests are batched.
        """
        metrics = self.context.metrics
        scheduler = Scheduler(recognizer, options, on_batch=metrics.record_batch)
        metrics.follow(
            "waiting_requests",
            "Requests that wait for the recognizer.",
            lambda: scheduler.waiting,
        )
        metrics.follow(
            "wait_seconds",
            "Time that requests wait for the recognizer at present.",
            lambda: scheduler.wait,
        )
        remote = remote_state(recognizer)
        if remote is not None:
            for name, explanation, value in remote.figures():
                metrics.follow(name, explanation, value)
        model = LoadedModel(recognizer, scheduler)
        if self._rest is not None:
            self._rest.open(model)
        self.context.startup.finish(model)

    @property
    def url(self) -> str:
        """URL of the native protocol."""
        host = self.options.host
        scheme = "ws" if self.options.tls is None else "wss"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{STREAM_PATH}"

    @property
    def rest_port(self) -> int | None:
        """Port of the REST interfaces; None: they are disabled."""
        return None if self._rest is None else self._rest.port

    async def __aenter__(self) -> Server:
        """Start to listen.

        Raises:
            OSError: the address or the port is not available.
        """
        options = self.options
        with binding(options.host, options.port):
            self._listener = await serve_websockets(
                self._serve,
                options.host,
                options.port,
                process_request=self._endpoints.process_request,
                process_response=self._endpoints.process_response,
                select_subprotocol=_select_subprotocol,
                open_timeout=options.limits.handshake_timeout,
                ping_timeout=None,  # see `keep_alive`, for sessions
                ssl=options.tls,
                logger=wire_log,
                # Audio hardly shrinks, and deflate costs each connection time and memory.
                compression=None,
                max_size=options.limits.max_message_bytes,
                max_queue=_MAX_QUEUE,
                backlog=_BACKLOG,
                create_connection=paced_connections(self.context.new_connections()),
                server_header="streamwhisper",
            )
        self.port = next(iter(self._listener.sockets)).getsockname()[1]
        try:
            if self._wyoming is not None:
                await self._wyoming.start()
            if options.features.rest is not None:
                await self._start_rest(options.features.rest)
        except BaseException:
            await self.shut_down()
            raise
        return self

    async def _start_rest(self, options: RestOptions) -> None:
        # The import of the model's code takes seconds; clients are served meanwhile.
        module = await asyncio.to_thread(import_module, "streamwhisper.server.rest.listener")
        rest: RestListener = module.RestListener(self.context, options, self._endpoints)
        await rest.start()
        self._rest = rest
        if self.context.startup.finished:
            rest.open(self.context.startup.model)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shut_down()

    async def shut_down(self) -> None:
        """Finish the received audio of all sessions, commit all text, close them, and stop.

        Meanwhile new clients learn that the server is shutting down.
        """
        if self._listener is None:
            return
        context = self.context
        context.access.shutting_down = True
        context.startup.cancel()
        context.resumable.close()
        context.rooms.close()
        context.connections.shut_down()
        seconds = context.shutdown_seconds
        await asyncio.gather(
            context.connections.drain(seconds),
            *([self._rest.stop(seconds)] if self._rest is not None else []),
        )
        if self._wyoming is not None:
            await self._wyoming.stop()
        self._listener.close(close_connections=False)
        await self._listener.wait_closed()
        if context.startup.finished:
            await context.startup.model.scheduler.aclose()
        if context.recorder is not None:
            await asyncio.to_thread(context.recorder.close)
        self._listener = None

    async def _serve(self, websocket: ServerConnection) -> None:
        """Serve a WebSocket after its handshake."""
        request = websocket.request
        assert request is not None
        assert isinstance(websocket, PacedConnection)
        context, path = self.context, path_of(request)
        if path.startswith(WATCH_PATH):
            websocket.limit_frames(VIEWER_FRAMES)
            websocket.ping_timeout = _VIEWER_PATIENCE
            network = network_of(context.access.address(request, peer_of(websocket)))
            await context.rooms.watch(path.removeprefix(WATCH_PATH), websocket, network)
            return
        websocket.limit_frames(SESSION_FRAMES)
        late = self.options.limits.handshake_timeout  # it was in time before the handshake
        client = context.access.authenticate(request, peer_of(websocket), late=late)
        await self._serve_client(websocket, request, client)

    async def _serve_client(
        self, websocket: PacedConnection, request: Request, client: Client
    ) -> None:
        """Serve the sessions of an authenticated client."""
        context, path, query = self.context, path_of(request), query_of(request)
        route, name = ROUTES[path], websocket.id.hex[:12]
        slots = route.slots(query)
        rejected = full = None
        try:
            context.access.check_slots(client, slots)
            context.access.redeem(client)
        except HandshakeRejected as error:  # others took the slots, or the token, meanwhile
            if websocket.only_resume and context.resumable.claimable(client.owner):
                full = error
            else:
                rejected = error
        handshake = Handshake(
            context.startup.info,
            self.options.session,
            str(websocket.id),
            name,
            query,
            _opener(context, client, full),
            context.metrics.count_error,
            client.grant.settings if client.grant is not None else {},
        )
        dialect = route.open_dialect(handshake)
        connection = Connection(context, client, websocket, dialect, route, name)
        if rejected is not None:
            context.metrics.sessions_refused.inc()
            dialect.fail(*close_errors.rejected(rejected))
            await connection.run()
            return
        context.metrics.connections.labels(path).inc()
        with ExitStack() as stack:
            stack.enter_context(context.connections.hold(client, connection, slots))
            if full is not None:
                stack.enter_context(context.resumable.claiming(client.owner))
            await connection.run()


def _opener(
    context: ServerContext, client: Client, full: HandshakeRejected | None
) -> SessionFactory:
    """Return the function that opens a client's sessions; with `full` it rejects them."""
    if full is None:
        return partial(context.admission.open_session, client)

    def reject(
        name: str, start: Start, decoder: Decoder, options: SessionOptions
    ) -> ObservedSession:
        context.metrics.sessions_refused.inc()
        raise SessionRejected(*close_errors.rejected(full))

    return reject


def _select_subprotocol(
    websocket: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    request = websocket.request
    route = ROUTES.get(path_of(request)) if request is not None else None
    known = route.subprotocols if route is not None else ()
    return next((protocol for protocol in offered if protocol in known), None)
