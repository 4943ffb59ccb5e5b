"""One WebSocket connection: frames to its dialect, requests to the scheduler, texts back.

Its dialect is a session of its own, or one whose connection was lost, once its client claims it.

Two tasks share a connection. The reader takes frames in, and pauses while the session's buffers
are full, so that the pressure reaches the client. The driver has answered what the session asks,
one request at a time; while that waits for its turn, the reader keeps it up to the newest sound.
Either sends what has come of it before it goes on: a client that does not read stops both, and
nothing piles up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from streamwhisper.engine.scheduler import Scheduler, Ticket, Withdrawn
from streamwhisper.errors import RecognitionError
from streamwhisper.server import faults
from streamwhisper.server.access import Limits
from streamwhisper.server.dialects import GOING_AWAY, Close, Dialect, Resumable
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.outcome import LOST, how_client_left, how_server_left
from streamwhisper.server.parking import Parking

__all__ = ["Connection"]

log = logging.getLogger(__name__)

_PIECE_BYTES = 32 * 1024  # of audio taken in at once, so that no client holds up the event loop
_READ_OUT_SECONDS = 1.0
_MAX_FAILURES = 3  # of the same request in a row
_RESUMABLE = {LOST, "client_unread"}  # outcomes


class _Unread(Exception):
    """The client has left what was sent to it unread for too long."""


class _Leaving(Exception):
    """The client has said that it leaves, or broke the protocol, and reads no more."""


class Connection:
    """Drives one session from its first frame to its close."""

    def __init__(
        self,
        websocket: ServerConnection,
        dialect: Dialect,
        scheduler: Scheduler,
        limits: Limits,
        metrics: Metrics,
        parking: Parking,
        *,
        name: str,
    ) -> None:
        """Join a socket, what is spoken on it, and who recognizes.

        Args:
            parking: where sessions wait whose connection is lost.
            name: for the log.
        """
        self._websocket = websocket
        self._dialect = dialect
        self._scheduler = scheduler
        self._limits = limits
        self._metrics = metrics
        self._parking = parking
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._ticket: Ticket | None = None  # for the session's request under way
        self._waiting_since: float | None = None  # as far as the dialect has been told
        self._news = asyncio.Event()  # for the driver: something came in
        self._room = asyncio.Event()  # for the reader: the session took audio from its buffers
        self._over = asyncio.Event()  # the dialect is closing
        self._stopping = asyncio.Event()  # the server is
        self._all_read = asyncio.Event()  # the reader waits for the client
        self._sending = asyncio.Lock()
        self._handed_over = False  # the session is another connection's

    async def run(self) -> None:
        """Serve the client until one side leaves. Raises nothing but a cancellation."""
        log.info("session %s: opened from %s", self._name, self._websocket.remote_address)
        outcome = "server_error"
        try:
            outcome = await self._converse()
        except (ConnectionClosed, _Leaving):
            outcome = self._how_client_left()
        except _Unread:
            self._websocket.transport.abort()
            outcome = "client_unread"
        except Exception:  # outermost loop of a connection
            log.exception("session %s: failed", self._name)
            await self._apologize()
        finally:
            self._leave(outcome)
        await self._read_out()

    async def _read_out(self) -> None:
        """Read what is left of a client that leaves: unread, it would hide that it is gone."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(_READ_OUT_SECONDS):
                while self._websocket.state is State.CLOSING:
                    await self._websocket.recv()

    def _leave(self, outcome: str) -> None:
        dialect = self._dialect
        if self._handed_over:
            outcome = "handed over"
        elif isinstance(dialect, Resumable) and dialect.session is not None:
            if outcome in _RESUMABLE and self._parking.park(dialect):
                dialect.session.abandon_request()
                self._metrics.sessions_lost.inc()
                log.info("session %s: connection lost, kept to be resumed", self._name)
                return
            self._parking.leave(dialect)
        dialect.release()
        if not self._handed_over:
            self._metrics.sessions_closed.labels(outcome).inc()
        log.info("session %s: closed, %s", self._name, outcome)

    def hand_over(self) -> None:
        """Let go of the session, which goes on in another connection; say so, and close."""
        dialect = self._dialect
        assert isinstance(dialect, Resumable)
        if self._ticket is not None:
            self._ticket.withdraw()
            self._ticket = None
        if dialect.session is not None:
            dialect.session.abandon_request()
        self._handed_over = True
        self._dialect = dialect.left_behind()
        self._wake()

    def shut_down(self) -> None:
        """The server stops: hear what the client has sent, commit everything, and close."""
        self._stopping.set()

    def cut_off(self) -> None:
        """The server can wait no longer: close now, saying what is missing."""
        self._dialect.fail(*faults.cut_off())
        self._wake()

    def _wake(self) -> None:
        self._advance()
        self._news.set()
        self._room.set()
        if self._dialect.closing is not None:
            self._over.set()

    async def _converse(self) -> str:
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._read(),
                self._drive(),
                self._drain(),
                self._over.wait(),
                self._websocket.wait_closed(),
            )
        ]
        try:
            finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
            close = self._dialect.closing
            if close is None:
                return self._how_client_left()
            await self._send()
            # The reader stays until then: frames left unread would hold up the handshake.
            await self._close(close)
            return how_server_left(close.code, self._websocket.protocol.close_rcvd)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            for piece in _pieces(await self._next_frame()):
                while isinstance(piece, bytes) and not self._dialect.can_receive:
                    self._room.clear()
                    await self._room.wait()
                self._take(piece)
                self._wake()
                await self._send()
                await asyncio.sleep(0)  # a large frame must not hold up the others

    async def _next_frame(self) -> str | bytes:
        """The next frame; an empty one when the client has been silent for too long."""
        started = self._dialect.session is not None
        if self._dialect.closing is not None:
            patience = None
        elif started:
            patience = self._loop.time() + self._limits.idle_timeout
        else:
            patience = self._opened + self._limits.start_timeout
        try:
            self._all_read.set()
            async with asyncio.timeout_at(patience):
                return await self._websocket.recv()
        except TimeoutError:
            self._dialect.finish(*faults.silent(self._limits, started=started))
            self._wake()
            return b""
        finally:
            self._all_read.clear()

    async def _drain(self) -> None:
        """Once the server stops: hear what the client has sent by now, commit all, and close."""
        await self._stopping.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_timeout):
                # Its answer comes behind everything that the client sent before it saw the ping.
                await (await self._websocket.ping())
                await asyncio.sleep(0)  # what came together with the answer is at the reader now
                while not self._all_read.is_set():  # it may be for a moment between two frames
                    await self._all_read.wait()
        self._dialect.finish(None, Close(GOING_AWAY, "the server is shutting down"))
        self._wake()
        await self._over.wait()

    def _take(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and (size := len(frame.encode())) > self._limits.max_text_bytes:
            self._dialect.fail(*faults.text_too_big(size, self._limits))
            return
        session = self._dialect.session
        before = session.audio_seconds if session is not None else 0.0
        self._dialect.receive(frame)
        if session is None:
            self._enter()
        else:
            self._metrics.audio_seconds.inc(session.audio_seconds - before)

    def _enter(self) -> None:
        """A session that starts can be resumed from now on; one that is claimed goes on here."""
        dialect = self._dialect
        if not isinstance(dialect, Resumable) or dialect.closing is not None:
            return
        claim = dialect.claim
        if claim is None:
            if dialect.session is not None:
                self._parking.enter(dialect, self)
            return
        resumed = self._parking.resume(claim.resume or "", self)
        if resumed is None:
            self._dialect.fail(*faults.unknown_token())
        elif resumed.rejoin(claim):
            log.info("session %s: resumed as %s", resumed.name, self._name)
            self._dialect, self._name = resumed, resumed.name
            self._metrics.sessions_resumed.inc()
        else:
            self._parking.leave(resumed)
            resumed.release()
            self._dialect.fail(*faults.messages_gone(claim.last_seq))

    def _advance(self) -> None:
        """Let the session take in what has come, and ask for as much as it can by now.

        A partial that waits for its turn gives way to one that reaches further, or to a final;
        a final is asked for again as it was. What the recognizer has already stands.
        """
        session, ticket = self._dialect.session, self._ticket
        if session is None or self._dialect.closing is not None:
            return
        if ticket is not None:
            if ticket.started:
                return
            session.abandon_request()
        request = session.next_request()
        if request is None:
            self._ticket = None
            if ticket is not None:
                ticket.withdraw()
        elif ticket is None:
            self._ticket = Ticket(request)
        else:
            ticket.replace(request)

    async def _drive(self) -> None:
        failures = 0
        while self._dialect.closing is None:
            self._news.clear()
            self._advance()
            self._room.set()
            await self._send()
            if self._ticket is not None:
                failures = 0 if await self._answer(self._ticket) else failures + 1
                if failures == _MAX_FAILURES:
                    self._dialect.fail(*faults.recognition_failed(failures, self._name))
            elif self._dialect.closing is None:
                await self._news.wait()

    async def _answer(self, ticket: Ticket) -> bool:
        """Have a request answered; False when that failed."""
        session = self._dialect.session
        assert session is not None
        began = self._waiting_since = self._loop.time()
        try:
            hypothesis = await self._scheduler.recognize(ticket)
        except Withdrawn:  # the session needs no answer any more
            return True
        except RecognitionError as error:
            if self._ticket is not ticket:  # the session was handed over meanwhile
                return True
            log.warning("session %s: a request failed: %s", self._name, error)
            self._metrics.request_errors.inc()
            session.abandon_request()
            self._ticket = None
            return False
        finally:
            self._record_wait()
            self._waiting_since = None
        if self._ticket is not ticket:
            return True
        seconds = self._loop.time() - began
        kind = "final" if ticket.request.final else "partial"
        self._metrics.request_seconds.labels(kind).observe(seconds)
        session.receive_hypothesis(hypothesis)
        self._ticket = None
        return True

    def _record_wait(self) -> None:
        """Tell the dialect of the wait so far: an answer that is late is not to hide it."""
        if self._waiting_since is not None:
            now = self._loop.time()
            self._dialect.record_wait(now - self._waiting_since)
            self._waiting_since = now

    async def _send(self) -> None:
        """Send what the dialect has to say, in order, at the pace that the client reads."""
        async with self._sending:
            self._record_wait()
            for text in self._dialect.outgoing():
                # To send would be to wait for the end of the connection, and while frames wait
                # to be read, that is not noticed.
                if self._websocket.state is State.CLOSING:
                    raise _Leaving
                try:
                    async with asyncio.timeout(self._limits.send_timeout):
                        await self._websocket.send(text)
                except TimeoutError:
                    raise _Unread from None

    async def _close(self, close: Close) -> None:
        try:
            async with asyncio.timeout(self._limits.send_timeout):
                await self._websocket.close(close.code, close.reason)
        except TimeoutError:
            raise _Unread from None

    async def _apologize(self) -> None:
        error, close = faults.internal(self._name)
        self._dialect.fail(error, close)
        try:
            await self._send()
            await self._close(close)
        except (ConnectionClosed, _Leaving, _Unread):
            self._websocket.transport.abort()

    def _how_client_left(self) -> str:
        protocol = self._websocket.protocol
        return how_client_left(protocol.close_sent, protocol.close_rcvd)


def _pieces(frame: str | bytes) -> Iterator[str | bytes]:
    if isinstance(frame, str):
        yield frame
        return
    for start in range(0, len(frame), _PIECE_BYTES):
        yield frame[start : start + _PIECE_BYTES]
