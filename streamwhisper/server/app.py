"""The server: listens, gives every connection a session, and stops without losing text."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.typing import Subprotocol

from streamwhisper.live.scheduler import Scheduler, SchedulerOptions
from streamwhisper.recognition import Recognizer, RemoteRecognizer
from streamwhisper.server.access.origins import is_loopback
from streamwhisper.server.access.policy import AccessPolicy, Client
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.logs import wire_log
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.options import DEFAULT_PORT, ServerOptions
from streamwhisper.server.publishing.recorder import Recorder
from streamwhisper.server.publishing.rooms import Rooms
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.admission import Admission
from streamwhisper.server.sessions.outcome import LOST
from streamwhisper.server.sessions.resumable import ResumableSessions, Timer
from streamwhisper.server.sessions.startup import Startup
from streamwhisper.server.sockets import binding
from streamwhisper.server.websocket.connection import Connection
from streamwhisper.server.websocket.http_endpoints import (
    WATCH_PATH,
    HttpEndpoints,
    path_of,
    peer_of,
    query_of,
)
from streamwhisper.server.websocket.routes import ROUTES, STREAM_PATH, Handshake
from streamwhisper.server.wyoming.port import ActiveConnection, WyomingOptions, WyomingPort

if TYPE_CHECKING:
    from streamwhisper.server.rest.listener import RestListener

__all__ = ["DEFAULT_PORT", "STREAM_PATH", "WATCH_PATH", "Server", "ServerOptions"]

log = logging.getLogger(__name__)

_WAITING = 0.4  # share of the time for handshakes in which the model is waited for
_MAX_QUEUE = 4  # frames that the library reads ahead, of up to `Limits.max_message_bytes` each


class Server:
    """A server that listens while its ``async with`` body runs."""

    def __init__(self, recognizer: Recognizer | None, options: ServerOptions | None = None) -> None:
        """Serve sessions that `recognizer` listens to; None: one that `open` brings later.

        Raises:
            OSError: the folder that is recorded in cannot be written to.
        """
        self.options = options or ServerOptions()
        self.port = self.options.port
        limits = self.options.limits
        # Clients are told that the model is not there before they lose their patience.
        self._opening = Startup(limits.handshake_timeout * _WAITING, limits.max_sessions)
        self._access = AccessPolicy(
            self.options.access, limits, loopback=is_loopback(self.options.host)
        )
        self._connections: set[ActiveConnection] = set()
        self._empty = asyncio.Event()  # there are no connections
        self._empty.set()
        self._listener: WebSocketServer | None = None
        self._metrics = Metrics()
        self._parking = ResumableSessions(
            limits.resume_timeout,
            limits.max_sessions,
            _call_later,
            on_lapse=self._metrics.sessions_closed.labels(LOST).inc,
        )
        recording = self.options.recording
        self._recorder = (
            None if recording is None else Recorder(recording, self._metrics.recording_failures.inc)
        )
        self._rooms = Rooms(
            self.options.rooms,
            on_drop=self._metrics.viewers_dropped.inc,
            dismiss=self._parking.dismiss,
        )
        self._answers = HttpEndpoints(
            self._opening,
            self._access,
            self._metrics,
            self._rooms,
            ROUTES,
            encrypted=self.options.tls is not None,
        )
        wyoming = self.options.wyoming
        self._wyoming = None if wyoming is None else self._wyoming_port(wyoming)
        self._follow()
        self._rest: RestListener | None = None
        self._recognizer: Recognizer | None = None
        self._scheduler: Scheduler  # from `open` on, as is the reception
        if recognizer is not None:
            self.open(recognizer, self.options.scheduler)

    def open(self, recognizer: Recognizer, scheduler: SchedulerOptions) -> None:
        """Take sessions in, also those that have waited for this, and have `recognizer` listen.

        Args:
            recognizer: what listens.
            scheduler: how its requests are put together.
        """
        self._recognizer = recognizer
        self._scheduler = Scheduler(recognizer, scheduler, on_batch=self._metrics.record_batch)
        self._reception = Admission(
            recognizer.info,
            self._scheduler,
            self.options.max_wait,
            self.options.session.update_interval,
            self._rooms,
            self._recorder,
            self._metrics,
        )
        if self._wyoming is not None:
            self._wyoming.open(self._reception, self._scheduler)
        self._follow_requests()
        if isinstance(recognizer, RemoteRecognizer):
            for name, explanation, value in recognizer.figures():
                self._metrics.follow(name, explanation, value)
        self._open_rest()
        self._opening.come(recognizer)

    def _wyoming_port(self, options: WyomingOptions) -> WyomingPort:
        return WyomingPort(
            options,
            self.options.host,
            self.options.session,
            self.options.limits,
            self._opening,
            self._access,
            self._metrics,
            self._place,
        )

    def _follow(self) -> None:
        """Let the metrics tell what goes on now."""
        follow = self._metrics.follow
        follow("open_sessions", "Sessions open now.", lambda: self._access.open_sessions)
        follow(
            "parked_sessions",
            "Sessions without a connection that can be resumed.",
            lambda: self._parking.parked,
        )
        follow(
            "longest_lag_seconds",
            "Sound that is received and not yet recognized, in the session with the most of it.",
            lambda: max((connection.lag for connection in self._connections), default=0.0),
        )
        follow("ready", "1 if somebody may come in now.", lambda: self._answers.obstacle() is None)
        follow("viewers", "Viewers of sessions that publish.", lambda: self._rooms.viewers)
        follow("tasks", "Tasks on the event loop.", lambda: len(asyncio.all_tasks()))

    def _follow_requests(self) -> None:
        """Likewise of the model, once it is there."""
        self._metrics.follow(
            "waiting_requests",
            "Requests that wait for the recognizer.",
            lambda: self._scheduler.waiting,
        )
        self._metrics.follow(
            "wait_seconds",
            "How long requests wait for the recognizer at present.",
            lambda: self._scheduler.wait,
        )

    @property
    def url(self) -> str:
        """Where the native protocol is spoken."""
        host = self.options.host
        scheme = "ws" if self.options.tls is None else "wss"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{STREAM_PATH}"

    async def __aenter__(self) -> Server:
        """Start to listen.

        Raises:
            OSError: the address or the port cannot be had.
        """
        options = self.options
        with binding(options.host, options.port):
            self._listener = await serve_websockets(
                self._serve,
                options.host,
                options.port,
                process_request=self._answers.process_request,
                process_response=self._answers.process_response,
                select_subprotocol=_select_subprotocol,
                open_timeout=options.limits.handshake_timeout,
                ping_timeout=None,  # see `keep_alive`
                ssl=options.tls,
                logger=wire_log,
                # Audio hardly shrinks, and deflate costs each connection time and memory.
                compression=None,
                max_size=options.limits.max_message_bytes,
                max_queue=_MAX_QUEUE,
                server_header="streamwhisper",
            )
        self.port = next(iter(self._listener.sockets)).getsockname()[1]
        try:
            if self._wyoming is not None:
                await self._wyoming.start()
            if options.rest is not None:
                self._rest = await self._listen_for_recordings(options.rest)
                self._open_rest()
        except BaseException:
            await self.shut_down()
            raise
        return self

    async def _listen_for_recordings(self, options: RestOptions) -> RestListener:
        """Open the port of the REST interfaces, too."""
        # It imports the model's code, which takes seconds: others are served meanwhile.
        module = await asyncio.to_thread(import_module, "streamwhisper.server.rest.listener")
        rest: RestListener = module.RestListener(
            self.options, options, self._opening, self._access, self._metrics, self._answers
        )
        await rest.start()
        return rest

    def _open_rest(self) -> None:
        if self._rest is not None and self._recognizer is not None:
            self._rest.open(self._recognizer, lambda: self._scheduler.waiting > 0)

    @property
    def rest_port(self) -> int | None:
        """Where recordings are taken in; None: nowhere."""
        return None if self._rest is None else self._rest.port

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shut_down()

    async def shut_down(self) -> None:
        """Take nobody in, have every session hear what was sent, commit and say done; then stop.

        Until then whoever asks is told that the server is shutting down.
        """
        if self._listener is None:
            return
        self._access.shutting_down = True
        self._opening.call_off()
        self._parking.close()
        self._rooms.close()
        for connection in self._connections:
            connection.shut_down()
        options = self.options
        seconds = options.limits.drain_timeout + options.commit_timeout
        await asyncio.gather(
            self._hear_out(seconds),
            *([self._rest.stop(seconds)] if self._rest is not None else []),
        )
        if self._wyoming is not None:
            await self._wyoming.stop()
        self._listener.close(close_connections=False)
        await self._listener.wait_closed()
        if self._opening.over:
            await self._scheduler.aclose()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)
        self._listener = None

    async def _hear_out(self, seconds: float) -> None:
        """Wait for all sessions to end, for so long at the most."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            log.warning("cutting off %d sessions that did not finish", len(self._connections))
            for connection in self._connections:
                connection.cut_off()

    async def _serve(self, websocket: ServerConnection) -> None:
        request = websocket.request
        assert request is not None
        path = path_of(request)
        if path.startswith(WATCH_PATH):
            await self._rooms.watch(path.removeprefix(WATCH_PATH), websocket)
            return
        visitor = self._access.authenticate(request, peer_of(websocket))
        route, limits = ROUTES[path], self.options.limits
        name = websocket.id.hex[:12]
        handshake = Handshake(
            self._opening.info,
            self.options.session,
            str(websocket.id),
            name,
            query_of(request),
            partial(self._reception.open_session, visitor),
            self._metrics.count_error,
        )
        most = max(limits.max_message_bytes, route.max_message_bytes)
        websocket.protocol.max_message_size = most
        dialect = route.open_dialect(handshake)
        connection = Connection(
            websocket,
            dialect,
            self._scheduler,
            replace(limits, idle_timeout=min(limits.idle_timeout, route.idle_timeout)),
            self._metrics,
            self._parking,
            visitor=visitor,
            name=name,
            unwrap=route.unwrap,
        )
        places = route.slots(handshake.query)
        try:
            self._access.check_slots(visitor, places)
        except HandshakeRejected as refusal:  # the last place was taken during the handshake
            self._metrics.sessions_refused.inc()
            dialect.fail(*close_errors.refused(refusal))
            await connection.run()
            return
        self._metrics.connections.labels(path).inc()
        with self._place(visitor, connection, places):
            await connection.run()

    @contextmanager
    def _place(self, visitor: Client, guest: ActiveConnection, places: int = 1) -> Iterator[None]:
        """Holds places for a connection while the body runs."""
        with self._access.hold_slots(visitor, places):
            self._connections.add(guest)
            self._empty.clear()
            try:
                yield
            finally:
                self._connections.discard(guest)
                if not self._connections:
                    self._empty.set()


def _call_later(seconds: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, call)


def _select_subprotocol(
    websocket: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    request = websocket.request
    route = ROUTES.get(path_of(request)) if request is not None else None
    known = route.subprotocols if route is not None else ()
    return next((protocol for protocol in offered if protocol in known), None)
