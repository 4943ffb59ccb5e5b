"""One WebSocket connection: frames to its dialect, requests to the scheduler, texts back.

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

from streamwhisper.engine.scheduler import Scheduler, Ticket, Withdrawn
from streamwhisper.errors import RecognitionError
from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.access import Limits
from streamwhisper.server.dialects import (
    CLIENT_FAULT,
    GOING_AWAY,
    NORMAL,
    SERVER_FAULT,
    TOO_BIG,
    TRY_AGAIN_LATER,
    Close,
    Dialect,
)
from streamwhisper.server.metrics import Metrics

__all__ = ["Connection"]

log = logging.getLogger(__name__)

_PIECE_BYTES = 32 * 1024  # of audio taken in at once, so that no client holds up the event loop
_MAX_FAILURES = 3  # of the same request in a row
_OUTCOMES = {
    NORMAL: "done",
    GOING_AWAY: "shut_down",
    CLIENT_FAULT: "client_error",
    TOO_BIG: "client_error",
    SERVER_FAULT: "server_error",
    TRY_AGAIN_LATER: "cut_off",
}
_BROKEN_FRAMES = {1002, 1007, 1009}  # close codes with which websockets answers them by itself


class _Unread(Exception):
    """The client has left what was sent to it unread for too long."""


class Connection:
    """Drives one session from its first frame to its close."""

    def __init__(
        self,
        websocket: ServerConnection,
        dialect: Dialect,
        scheduler: Scheduler,
        limits: Limits,
        metrics: Metrics,
        *,
        name: str,
    ) -> None:
        """Join a socket, what is spoken on it, and who recognizes; `name` is for the log."""
        self._websocket = websocket
        self._dialect = dialect
        self._scheduler = scheduler
        self._limits = limits
        self._metrics = metrics
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

    async def run(self) -> None:
        """Serve the client until one side leaves. Raises nothing but a cancellation."""
        log.info("session %s: opened from %s", self._name, self._websocket.remote_address)
        outcome = "server_error"
        try:
            outcome = await self._converse()
        except ConnectionClosed:
            outcome = self._how_client_left()
        except _Unread:
            self._websocket.transport.abort()
            outcome = "client_unread"
        except Exception:  # outermost loop of a connection
            log.exception("session %s: failed", self._name)
            await self._apologize()
        finally:
            self._metrics.sessions_closed.labels(outcome).inc()
            log.info("session %s: closed, %s", self._name, outcome)

    def shut_down(self) -> None:
        """The server stops: hear what the client has sent, commit everything, and close."""
        self._stopping.set()

    def cut_off(self) -> None:
        """The server can wait no longer: close now, saying what is missing."""
        message = (
            "the server is shutting down and could not finish in time; text after the last "
            "committed one is missing, send its audio again to another server"
        )
        error = ErrorMessage("shutting_down", message, fatal=True)
        self._dialect.fail(error, Close(TRY_AGAIN_LATER, "shutting_down"))
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
            return _OUTCOMES.get(close.code, "done")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._dialect.release()

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
            code, message = _silence(self._limits, started=started)
            error = ErrorMessage(code, message, fatal=True)
            self._dialect.finish(error, Close(CLIENT_FAULT, code))
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
            message = (
                f"a text frame of {size} bytes; the most is {self._limits.max_text_bytes}. "
                "Audio goes in binary frames."
            )
            error = ErrorMessage("message_too_big", message, fatal=True)
            self._dialect.fail(error, Close(TOO_BIG, "message_too_big"))
            return
        session = self._dialect.session
        before = session.audio_seconds if session is not None else 0.0
        self._dialect.receive(frame)
        if session is not None:
            self._metrics.audio_seconds.inc(session.audio_seconds - before)

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
                    self._give_up()
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
            log.warning("session %s: a request failed: %s", self._name, error)
            self._metrics.request_errors.inc()
            session.abandon_request()
            self._ticket = None
            return False
        finally:
            self._record_wait()
            self._waiting_since = None
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

    def _give_up(self) -> None:
        message = (
            f"the recognizer failed {_MAX_FAILURES} times on the same audio; text after the last "
            f"committed one is missing. The server's log says why (session {self._name})."
        )
        error = ErrorMessage("recognition_failed", message, fatal=True)
        self._dialect.fail(error, Close(SERVER_FAULT, "recognition_failed"))

    async def _send(self) -> None:
        """Send what the dialect has to say, in order, at the pace that the client reads."""
        async with self._sending:
            self._record_wait()
            for text in self._dialect.outgoing():
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
        message = f"an internal error; the server's log has it under session {self._name}"
        close = Close(SERVER_FAULT, "internal")
        self._dialect.fail(ErrorMessage("internal", message, fatal=True), close)
        try:
            await self._send()
            await self._close(close)
        except (ConnectionClosed, _Unread):
            self._websocket.transport.abort()

    def _how_client_left(self) -> str:
        sent = self._websocket.protocol.close_sent
        broken = sent is not None and sent.code in _BROKEN_FRAMES
        return "client_error" if broken else "client_left"


def _pieces(frame: str | bytes) -> Iterator[str | bytes]:
    if isinstance(frame, str):
        yield frame
        return
    for start in range(0, len(frame), _PIECE_BYTES):
        yield frame[start : start + _PIECE_BYTES]


def _silence(limits: Limits, *, started: bool) -> tuple[str, str]:
    if started:
        return (
            "idle_timeout",
            f"no message for {limits.idle_timeout:g} s, so the session was ended; send audio or "
            'pings to keep it, and {"type": "end"} to end it.',
        )
    return (
        "start_timeout",
        f'no start within {limits.start_timeout:g} s; send {{"type": "start"}} at once.',
    )
