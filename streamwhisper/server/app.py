"""The server: listens, gives every connection a session, and stops without losing text."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from urllib.parse import urlsplit

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.http11 import Request, Response

from streamwhisper.engine.scheduler import Scheduler, SchedulerOptions
from streamwhisper.errors import check_fields
from streamwhisper.protocol import ErrorMessage
from streamwhisper.recognition import ModelInfo, Recognizer
from streamwhisper.server.access import RETRY_AFTER, Access, Limits, http_response, refusal
from streamwhisper.server.connection import Connection
from streamwhisper.server.dialects import TRY_AGAIN_LATER, Close, Dialect
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.server.dialects.witness import Admit
from streamwhisper.server.metrics import METRICS_CONTENT_TYPE, Metrics
from streamwhisper.server.outcome import LOST
from streamwhisper.server.parking import Parking, Timer
from streamwhisper.server.reception import Reception
from streamwhisper.server.recording import Recorder, RecordingOptions
from streamwhisper.server.rooms import RoomOptions, Rooms, is_room
from streamwhisper.session.options import SessionOptions

__all__ = ["DEFAULT_PORT", "STREAM_PATH", "WATCH_PATH", "Server", "ServerOptions", "run", "serve"]

log = logging.getLogger(__name__)

DEFAULT_PORT = 8765
STREAM_PATH = "/v1/stream"
WATCH_PATH = "/v1/watch/"

_DIALECTS: dict[str, Callable[[ModelInfo, SessionOptions, str, Admit], Dialect]] = {
    STREAM_PATH: NativeDialect,
}
_MAX_QUEUE = 4  # frames that the library reads ahead, of up to `Limits.max_message_bytes` each
_WELCOME = """\
streamwhisper: sound in, text out, over a WebSocket. This server listens with {model}.

  ws://{host}{path}

Send {{"type": "start"}}, then audio in binary frames (by default 16-bit PCM, 16 kHz, mono),
then {{"type": "end"}}. Text comes back as JSON while you speak: "partial" may still change,
"committed" never does.

From a shell:   streamwhisper stream speech.wav --url ws://{host}{path}
In Python:      streamwhisper.connect("ws://{host}{path}")

/healthz and /readyz say how the server is, /metrics what it does (for Prometheus).
"""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, and what to grant.

    Attributes:
        host: the address to listen on.
        port: 0 takes a free one.
        commit_timeout: seconds that sessions get to commit everything when the server stops,
            after those in which they hear out their clients (`Limits.drain_timeout`).
        max_wait: seconds that requests may wait for the recognizer; while they wait longer, new
            sessions are refused, for they would spoil those that run. None: they never are.
        recording: what is recorded of all sessions; None: nothing is.
        rooms: what viewers of sessions that publish are granted.

    Raises:
        ValueError: a value that makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    commit_timeout: float = 20.0
    limits: Limits = field(default_factory=Limits)
    session: SessionOptions = field(default_factory=SessionOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    max_wait: float | None = None
    recording: RecordingOptions | None = None
    rooms: RoomOptions = field(default_factory=RoomOptions)

    def __post_init__(self) -> None:
        check_fields(self, ("max_wait", self.max_wait is None or self.max_wait > 0, "above 0 s"))


class Server:
    """A server that listens while its ``async with`` body runs."""

    def __init__(self, recognizer: Recognizer, options: ServerOptions | None = None) -> None:
        """Serve sessions that `recognizer` listens to.

        Raises:
            OSError: the folder that is recorded in cannot be written to.
        """
        self.options = options or ServerOptions()
        self.port = self.options.port
        self._info = recognizer.info
        self._access = Access(self.options.limits)
        self._connections: set[Connection] = set()
        self._listener: WebSocketServer | None = None
        self._metrics = Metrics()
        self._parking = Parking(
            self.options.limits.resume_timeout,
            self.options.limits.max_sessions,
            _call_later,
            on_lapse=self._metrics.sessions_closed.labels(LOST).inc,
        )
        self._scheduler = Scheduler(
            recognizer, self.options.scheduler, on_batch=self._metrics.record_batch
        )
        recording = self.options.recording
        self._recorder = (
            None if recording is None else Recorder(recording, self._metrics.recording_failures.inc)
        )
        self._rooms = Rooms(self.options.rooms, on_drop=self._metrics.viewers_dropped.inc)
        self._reception = Reception(
            self._info,
            self._scheduler,
            self.options.max_wait,
            self._rooms,
            self._recorder,
            self._metrics.sessions_refused.inc,
        )
        self._metrics.follow(
            "open_sessions", "Sessions open now.", lambda: self._access.open_sessions
        )
        self._metrics.follow(
            "parked_sessions",
            "Sessions without a connection that can be resumed.",
            lambda: self._parking.parked,
        )
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
        self._metrics.follow(
            "viewers", "Viewers of sessions that publish.", lambda: self._rooms.viewers
        )
        self._metrics.follow("tasks", "Tasks on the event loop.", lambda: len(asyncio.all_tasks()))

    @property
    def url(self) -> str:
        """Where the native protocol is spoken."""
        host = self.options.host
        return f"ws://{f'[{host}]' if ':' in host else host}:{self.port}{STREAM_PATH}"

    async def __aenter__(self) -> Server:
        """Start to listen.

        Raises:
            OSError: the address or the port cannot be had.
        """
        options = self.options
        try:
            self._listener = await serve_websockets(
                self._serve,
                options.host,
                options.port,
                process_request=self._process_request,
                # Audio hardly shrinks, and deflate costs each connection time and memory.
                compression=None,
                max_size=options.limits.max_message_bytes,
                max_queue=_MAX_QUEUE,
                server_header="streamwhisper",
            )
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                reason = "the port is in use; take another one (0 finds a free one)"
            raise OSError(
                error.errno, f"cannot listen on {options.host}:{options.port}: {reason}"
            ) from error
        self.port = next(iter(self._listener.sockets)).getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shut_down()

    async def shut_down(self) -> None:
        """Take nobody in, have every session hear what was sent, commit and say done; then stop."""
        if self._listener is None:
            return
        self._access.shutting_down = True
        self._parking.close()
        self._rooms.close()
        self._listener.close(close_connections=False)
        for connection in self._connections:
            connection.shut_down()
        try:
            options = self.options
            async with asyncio.timeout(options.limits.drain_timeout + options.commit_timeout):
                await self._listener.wait_closed()
        except TimeoutError:
            log.warning("cutting off %d sessions that did not finish", len(self._connections))
            for connection in self._connections:
                connection.cut_off()
            await self._listener.wait_closed()
        await self._scheduler.aclose()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)
        self._listener = None

    async def _serve(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        path = _path(websocket.request)
        if path.startswith(WATCH_PATH):
            await self._rooms.watch(path.removeprefix(WATCH_PATH), websocket)
            return
        name = uuid.uuid4().hex[:12]
        dialect = _DIALECTS[path](self._info, self.options.session, name, self._reception.admit)
        connection = Connection(
            websocket,
            dialect,
            self._scheduler,
            self.options.limits,
            self._metrics,
            self._parking,
            name=name,
        )
        obstacle = self._access.obstacle()
        if obstacle is not None:  # the last place was taken during the handshake
            code, message = obstacle
            self._metrics.sessions_refused.inc()
            dialect.fail(
                ErrorMessage(code, message, True, RETRY_AFTER), Close(TRY_AGAIN_LATER, code)
            )
            await connection.run()
            return
        with self._access.session():
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)

    def _process_request(self, _: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP requests; None lets a WebSocket handshake go on."""
        path = _path(request)
        obstacle = self._access.obstacle()
        if path in _DIALECTS:
            if obstacle is None:
                return None
            self._metrics.sessions_refused.inc()
            return refusal(*obstacle)
        if path.startswith(WATCH_PATH):  # viewers need no key
            return self._obstacle_to_viewers(path.removeprefix(WATCH_PATH))
        if path == "/":
            host = request.headers.get("Host", f"{self.options.host}:{self.port}")
            return http_response(
                HTTPStatus.OK,
                _WELCOME.format(model=self._info.name, host=host, path=STREAM_PATH),
            )
        if path == "/healthz":
            return http_response(HTTPStatus.OK, "ok\n")
        if path == "/readyz":
            if obstacle is None:
                return http_response(HTTPStatus.OK, "ready\n")
            return http_response(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {obstacle[1]}\n")
        if path == "/metrics":
            return http_response(HTTPStatus.OK, self._metrics.render(), METRICS_CONTENT_TYPE)
        return http_response(
            HTTPStatus.NOT_FOUND,
            f"nothing at {path}; streams are at {STREAM_PATH}, and / says how to use them\n",
        )

    def _obstacle_to_viewers(self, room: str) -> Response | None:
        if not is_room(room):
            return http_response(
                HTTPStatus.NOT_FOUND,
                f"no room can be called {room[:80]!r}; a name has 1 to 64 letters, digits, dots, "
                "dashes and underscores\n",
            )
        if self._access.shutting_down:
            return refusal("shutting_down", "the server is shutting down; try again later")
        if self._rooms.full:
            return refusal(
                "too_many_viewers",
                f"all {self.options.rooms.max_viewers} places for viewers are taken; try again "
                "in a few seconds",
            )
        return None


def _call_later(seconds: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, call)


def _path(request: Request) -> str:
    return urlsplit(request.path).path


async def serve(
    recognizer: Recognizer,
    options: ServerOptions | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain every session (`Server.shut_down`), and return.

    A second signal ends the process at once.

    Args:
        recognizer: listens to all sessions.
        options: where to listen, and what to grant.
        ready: told the URL of the stream once the server listens.

    Raises:
        OSError: the address or the port cannot be had.
    """
    stop = asyncio.Event()
    with _signals(stop):
        async with Server(recognizer, options) as server:
            if ready is not None:
                ready(server.url)
            await stop.wait()
            log.info("shutting down")


def run(
    recognizer: Recognizer,
    options: ServerOptions | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """`serve` on an event loop of its own: uvloop's, but for Windows, which it does not know."""
    if sys.platform == "win32":
        new_event_loop = asyncio.new_event_loop
    else:
        from uvloop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(recognizer, options, ready=ready))


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at the first signal, and let the second end the process at once."""
    loop = asyncio.get_running_loop()
    asked = (signal.SIGTERM, signal.SIGINT)

    def on_signal() -> None:
        for number in asked:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    before = {number: signal.getsignal(number) for number in asked}
    for number in asked:
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
    try:
        yield
    finally:
        for number in asked:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, before[number] or signal.SIG_DFL)
