"""One WebSocket connection: frames to its dialect, requests to the scheduler, messages back.

The dialect has one session, or one for each audio channel. The session may also be one whose
previous connection was lost, once the client resumes it.

A reader and one driver per session share the connection. The reader receives frames, and pauses
while a session's buffers are full, so that backpressure reaches the client. A driver has one
request recognized at a time; while the request waits in the queue, the reader keeps it up to date
with the newest audio. All of them send what results before they continue: a client that does not
read stops all of them, and nothing accumulates.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from streamwhisper.live.driver import SessionDriver
from streamwhisper.server.access.policy import Client
from streamwhisper.server.context import ServerContext
from streamwhisper.server.dialect import GOING_AWAY, NORMAL, Close, Dialect
from streamwhisper.server.publishing.observers import ObservedSession
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.active_connections import (
    ActiveConnection,
    pieces,
    until_first,
)
from streamwhisper.server.sessions.outcome import LOST, how_client_left, how_server_left
from streamwhisper.server.sessions.telemetry import SessionTelemetry
from streamwhisper.server.websocket.decoding import DecodingPump
from streamwhisper.server.websocket.keepalive import keep_alive
from streamwhisper.server.websocket.routes import Route
from streamwhisper.server.websocket.sender import Leaving, Sender, Unread

__all__ = ["Connection"]

log = logging.getLogger(__name__)

_LARGE_BYTES = 256 * 1024  # unwrapping a larger text frame would hold up the event loop
_READ_OUT_SECONDS = 1.0
_PROBE_SECONDS = 1.0  # in which a live client answers a ping
_MAX_PINGS = 10  # unanswered pings after which no more are sent
_RESUMABLE = {LOST, "client_unread"}  # outcomes after which a session can be resumed
_GONE = {*_RESUMABLE, "client_left"}  # outcomes after which the client reads no more


class Connection(ActiveConnection[Dialect]):
    """Drives the sessions of one WebSocket from its first frame to its close."""

    def __init__(
        self,
        context: ServerContext,
        client: Client,
        websocket: ServerConnection,
        dialect: Dialect,
        route: Route,
        name: str,
    ) -> None:
        """Create a connection.

        Args:
            context: the server.
            client: the authenticated client.
            websocket: carries the connection.
            dialect: protocol of the connection.
            route: route of the connection's path.
            name: names the session in the log.
        """
        limits = context.options.limits
        limits = replace(limits, idle_timeout=min(limits.idle_timeout, route.idle_timeout))
        super().__init__(dialect, client, limits, context.metrics)
        self._websocket = websocket
        self._sender = Sender(websocket, limits.send_timeout)
        self._resumable = context.resumable
        self._count_as_new = context.admission.count_as_new
        self._name = name
        self._unwrap = route.unwrap
        self._telemetry = SessionTelemetry(client, context.metrics, self._loop.time)
        scheduler = context.startup.model.scheduler
        self._drivers = [
            SessionDriver(scheduler, self._telemetry) for _ in range(max(1, len(dialect.sessions)))
        ]
        self._client_awaited_since: float | None = None  # None: the reader is busy
        self._stopping = asyncio.Event()  # the server is shutting down
        self._all_read = asyncio.Event()  # the reader waits for the client
        self._sending = asyncio.Lock()
        self._decoding = DecodingPump(lambda: self._dialect.backlog, self._advance)
        self._handed_over = False  # another connection has the session
        self._gone = False  # the client reads no more

    @property
    def sessions(self) -> Sequence[ObservedSession]:
        """The sessions that are driven now."""
        return self._dialect.sessions

    async def run(self) -> None:
        """Serve the client until either side closes the connection. Raises only CancelledError."""
        self._telemetry.open(self._name)
        outcome = "server_error"
        try:
            outcome = await self._converse()
        except (ConnectionClosed, Leaving):
            outcome = self._how_client_left()
        except Unread:
            self._websocket.transport.abort()
            outcome = "client_unread"
        except Exception:  # outermost frame of a connection
            log.exception("session %s: failed", self._name)
            await self._report_failure()
        finally:
            await self._leave(outcome)
        await self._read_out()

    def hand_over(self) -> None:
        """Give up the session, which continues in another connection; report that, and close."""
        dialect = self._dialect.resumable
        assert dialect is not None
        self._withdraw()
        self._handed_over = True
        self._dialect = dialect.left_behind()
        self._wake()

    async def answers(self) -> bool:
        """Return whether the client answers a ping within a second."""
        websocket = self._websocket
        if len(websocket.pending_pings) >= _MAX_PINGS:
            return False
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await (await websocket.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True

    def shut_down(self) -> None:
        """Process what the client has sent, commit all text, and close: the server stops."""
        self._stopping.set()

    def _wake(self) -> None:
        for number, driver in enumerate(self._drivers):
            driver.wake(None if self._closing else self._session(number))
        self._buffers_freed.set()
        self._decoding.wake()
        if self._closing:
            self._over.set()

    # Conversation.

    async def _converse(self) -> str:
        """Serve the client until either side closes the connection; return the outcome."""
        async with until_first(
            self._read(),
            self._decoding.run(),
            *map(self._drive, range(len(self._drivers))),
            self._drain(),
            self._limit_duration(),
            keep_alive(self._websocket, lambda: self._client_awaited_since),
            self._over.wait(),
            self._websocket.wait_closed(),
        ):
            close = self._dialect.closing
            if close is None:
                return self._how_client_left()
            await self._send()
            # The reader runs until then: unread frames would hold up the closing handshake.
            await self._sender.close(close)
            return how_server_left(close.code, self._websocket.protocol.close_rcvd)

    async def _limit_duration(self) -> None:
        """End a session that reaches its maximum duration; its audio is committed."""
        seconds = self._client.quota.session_seconds
        if seconds is not None:
            await asyncio.sleep(seconds)
            self._finish(*close_errors.too_long(seconds))
        await self._over.wait()

    async def _drain(self) -> None:
        """Process what the client has sent, commit all text, and close: the server stops."""
        await self._stopping.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_timeout):
                # The pong arrives after everything that the client sent before the ping.
                await (await self._websocket.ping())
                await asyncio.sleep(0)  # the reader has now what arrived together with the pong
                while not self._all_read.is_set():  # it may be set briefly between two frames
                    await self._all_read.wait()
        self._finish(None, Close(GOING_AWAY, "the server is shutting down"))
        await self._over.wait()

    # Audio and commands of the client.

    async def _read(self) -> None:
        while True:
            frame = await self._next_frame()
            large = len(frame) > _LARGE_BYTES
            frame = await asyncio.to_thread(self._unwrap, frame) if large else self._unwrap(frame)
            if not frame:
                await asyncio.sleep(0)  # empty frames must not hold up the other connections
            for piece in pieces(frame):
                if isinstance(piece, bytes):
                    await self._wait_for_buffers()
                await self._pass_on(self._receive(piece))
                await self._decoding.idle()

    async def _advance(self) -> None:
        """Take a step of decoded audio."""
        await self._wait_for_buffers()
        await self._pass_on(self._count(self._dialect.advance))

    async def _pass_on(self, received: float) -> None:
        """Have received audio processed, after the answers; hold the client back if necessary."""
        self._wake()
        await self._send()
        await self._hold(received)

    async def _next_frame(self) -> str | bytes:
        """Return the next frame; an empty one if the client sent none for too long."""
        started, limits = bool(self.sessions), self._limits
        seconds = limits.idle_timeout if started else limits.start_timeout
        since = self._loop.time() if started else self._opened
        deadline = None if self._closing else since + seconds
        try:
            self._all_read.set()
            self._client_awaited_since = self._loop.time()
            async with asyncio.timeout_at(deadline):
                return await self._websocket.recv()
        except TimeoutError:
            self._finish(*close_errors.silent(seconds, started=started))
            return b""
        finally:
            self._all_read.clear()
            self._client_awaited_since = None

    def _receive(self, frame: str | bytes) -> float:
        """Pass a frame to the dialect; return the seconds of audio in it."""
        if isinstance(frame, str) and (size := len(frame.encode())) > self._limits.max_text_bytes:
            self._dialect.fail(*close_errors.text_too_big(size, self._limits))
            return 0.0
        return self._count(partial(self._dialect.receive, frame))

    def _count(self, change: Callable[[], None]) -> float:
        """Change the dialect; return the seconds of audio that this adds."""
        started, before = bool(self.sessions), self._audio_seconds
        change()
        if not started:
            self._enter()
            return 0.0
        total = self._audio_seconds
        self._record_audio(self._telemetry, total - before, total)
        return total - before

    @property
    def _audio_seconds(self) -> float:
        """Seconds of audio received; all channels count once."""
        return max((session.audio_seconds for session in self.sessions), default=0.0)

    # Recognition and messages to the client.

    async def _drive(self, number: int) -> None:
        """Have the requests of one session recognized, once it exists."""
        await self._drivers[number].run(
            lambda: self._session(number),
            publish=self._publish,
            finished=lambda: self._closing,
            failed=lambda *failure: self._record_failure(self._telemetry, self._name, *failure),
        )

    async def _publish(self) -> None:
        self._buffers_freed.set()
        await self._send()

    def _session(self, number: int) -> ObservedSession | None:
        return self.sessions[number] if number < len(self.sessions) else None

    async def _send(self) -> None:
        """Send the dialect's messages, in order, as fast as the client reads."""
        async with self._sending:
            # Reported before the answer comes, so that a late answer does not hide the wait.
            self._dialect.record_wait(sum(driver.take_wait() for driver in self._drivers))
            for text in self._dialect.outgoing():
                if not self._gone:
                    await self._sender.send(text)

    async def _report_failure(self) -> None:
        error, close = close_errors.internal(self._name)
        self._dialect.fail(error, close)
        try:
            await self._send()
            await self._sender.close(close)
        except (ConnectionClosed, Leaving, Unread):
            self._websocket.transport.abort()

    # Start, resumption and end of a session.

    def _enter(self) -> None:
        """Make a started session resumable, or resume the one that the client claims."""
        dialect = self._dialect.resumable
        if dialect is None or self._closing:
            return
        claim = dialect.claim
        if claim is None:
            if dialect.sessions:
                client = self._client
                self._resumable.add(dialect, self, client.owner, client.quota.sessions)
            return
        resumed = self._resumable.resume(claim.resume or "", self, self._client.owner)
        if resumed is None:
            self._dialect.fail(*close_errors.unknown_token())
        elif resumed.rejoin(claim):
            log.info("session %s: resumed as %s", resumed.name, self._name)
            self._dialect, self._name = resumed, resumed.name
            self._count_as_new(resumed.name)
            self._metrics.sessions_resumed.inc()
        else:
            self._resumable.remove(resumed)
            resumed.release()
            self._dialect.fail(*close_errors.messages_gone(claim.last_seq))

    async def _leave(self, outcome: str) -> None:
        """Detach the session if it can be resumed; otherwise end it."""
        dialect = self._dialect
        if self._handed_over:
            outcome = "handed_over"
        elif (resumable := dialect.resumable) is not None and self.sessions:
            kept = outcome in _RESUMABLE
            if kept:
                self._withdraw()
                for session in self.sessions:
                    session.forget_past()
            if kept and self._resumable.detach(resumable):
                self._telemetry.close(self._name, outcome, kept=True)
                return
            self._resumable.remove(resumable)
        if outcome in _GONE and self.sessions and not self._closing:
            await self._finish_without_client()
        dialect.release()
        self._telemetry.close(self._name, outcome, closed=not self._handed_over)

    async def _finish_without_client(self) -> None:
        """Commit the rest of the audio, for viewers and records: the client reads no more."""
        self._gone = True
        self._withdraw()
        drivers = [asyncio.create_task(self._drive(n)) for n in range(len(self._drivers))]
        pump = asyncio.create_task(self._decoding.run())
        try:
            async with asyncio.timeout(self._limits.drain_timeout):
                with contextlib.suppress(ConnectionClosed):
                    await self._read()
                self._finish(None, Close(NORMAL))
                await asyncio.gather(*drivers)
        except TimeoutError:
            log.warning("session %s: the rest of its audio was not recognized in time", self._name)
        finally:
            for task in (*drivers, pump):
                task.cancel()

    def _withdraw(self) -> None:
        """Stop waiting for answers; the requests may be sent again."""
        for driver in self._drivers:
            driver.withdraw()
        for session in self.sessions:
            session.abandon_request()

    async def _read_out(self) -> None:
        """Read the rest of a leaving client's frames: unread, they would hide its close."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(_READ_OUT_SECONDS):
                while self._websocket.state is State.CLOSING:
                    await self._websocket.recv()

    def _how_client_left(self) -> str:
        protocol = self._websocket.protocol
        return how_client_left(protocol.close_sent, protocol.close_rcvd)
