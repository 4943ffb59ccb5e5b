"""One Wyoming connection over TCP: bytes to its dialect, requests to the scheduler, events back.

Three tasks share it: the reader receives bytes and pauses while buffers are full, the driver has
the session's requests recognized, and the sender sends events. Only the sender waits for the client
to read, because some clients read nothing until they have sent all audio: meanwhile text
accumulates in the dialect and is sent in fewer, longer chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from streamwhisper.errors import RecognitionError
from streamwhisper.live.driver import SessionDriver
from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.policy import Client
from streamwhisper.server.context import ServerContext
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, Close
from streamwhisper.server.dialects.wyoming.dialect import WyomingDialect
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.active_connections import (
    PIECE_BYTES,
    ActiveConnection,
    until_first,
)
from streamwhisper.server.sessions.outcome import LOST, outcome_of
from streamwhisper.server.sessions.telemetry import SessionTelemetry
from streamwhisper.server.websocket.sender import Unread
from streamwhisper.session.session import Session

__all__ = ["WyomingConnection", "close_socket"]

log = logging.getLogger(__name__)

_LINGER_SECONDS = 2.0


@dataclass(slots=True)
class _Utterance:
    """The session of the current utterance.

    Attributes:
        session: recognizes the utterance.
        name: names the session in the log.
        telemetry: measures the session.
        timer: ends a session that reaches its maximum duration.
        counted: seconds of audio that are counted already.
    """

    session: Session
    name: str
    telemetry: SessionTelemetry
    timer: asyncio.TimerHandle | None
    counted: float = 0.0

    def close(self, outcome: str) -> None:
        """Log and measure the end of the session."""
        if self.timer is not None:
            self.timer.cancel()
        self.telemetry.close(self.name, outcome)


class WyomingConnection(ActiveConnection[WyomingDialect]):
    """Drives the sessions of one connection, one after the other, until it is closed."""

    def __init__(
        self,
        context: ServerContext,
        client: Client,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        dialect: WyomingDialect,
    ) -> None:
        """Create a connection.

        Args:
            context: the server.
            client: the client at the other end.
            reader: receives the client's bytes.
            writer: sends events to the client.
            dialect: protocol of the connection.
        """
        super().__init__(dialect, client, context.options.limits, context.metrics)
        self._reader = reader
        self._writer = writer
        self._driver = SessionDriver(context.startup.model.scheduler)
        self._read_at = self._opened
        self._utterance: _Utterance | None = None
        self._lost = False  # the connection broke without an end
        self._unsent = asyncio.Event()  # the sender may have something to send
        # The sender waits until the system has taken what it wrote: nothing accumulates here.
        writer.transport.set_write_buffer_limits(0)

    @property
    def sessions(self) -> Sequence[Session]:
        """The session that is driven now, if there is one."""
        session = self._dialect.session
        return [] if session is None else [session]

    async def run(self) -> None:
        """Serve the client until either side closes the connection. Raises only CancelledError."""
        outcome = None
        try:
            async with until_first(self._read(), self._drive(), self._send(), self._over.wait()):
                pass
            await self._send_rest()
        except Unread:
            outcome = "client_unread"
            self._writer.transport.abort()
        except Exception:  # outermost frame of a connection
            log.exception("a Wyoming connection failed")
            outcome = "server_error"
            await self._report_failure()
        finally:
            self._driver.withdraw()
            if self._utterance is not None:
                self._utterance.close(outcome or self._outcome)
                self._utterance = None
            self._dialect.release()

    def shut_down(self) -> None:
        """Finish the current utterance, send its transcript, and close: the server stops."""
        close = Close(GOING_AWAY, "the server is shutting down")
        self._dialect.retire(None, close)
        self._loop.call_later(self._limits.drain_timeout, self._finish, None, close)
        self._wake()

    @property
    def _outcome(self) -> str:
        closing = self._dialect.closing
        if self._lost:
            return LOST
        return "done" if closing is None else outcome_of(closing.code)

    def _wake(self) -> None:
        self._follow_session()
        self._driver.wake(None if self._closing else self._session)
        self._buffers_freed.set()
        self._unsent.set()
        if self._closing:
            self._over.set()

    def _follow_session(self) -> None:
        """Open telemetry and timer for a new session, and close those of the one before."""
        session = self._dialect.session
        if self._utterance is not None and session is not self._utterance.session:
            self._driver.withdraw()
            self._utterance.close(self._outcome)
            self._utterance = None
        if session is None or self._utterance is not None:
            return
        telemetry = SessionTelemetry(self._client, self._metrics, self._loop.time)
        self._driver.observer = telemetry
        timer, seconds = None, self._client.quota.session_seconds
        if seconds is not None:
            timer = self._loop.call_later(seconds, self._finish, *close_errors.too_long(seconds))
        self._utterance = _Utterance(session, self._dialect.name, telemetry, timer)
        telemetry.open(self._dialect.name)

    # Bytes of the client.

    async def _read(self) -> None:
        while data := await self._next():
            self._dialect.receive(data)
            self._wake()
            await self._hold(self._count_audio())
            await self._wait_for_buffers()
        # The client sends no more but may still read; in any case its audio is recorded whole.
        self._finish(None, Close(NORMAL))
        await self._over.wait()

    async def _next(self) -> bytes:
        """Return the next bytes; none at the end, or if the client sent none for too long."""
        started = self._dialect.events > 0
        try:
            async with asyncio.timeout_at(
                self._loop.time() + self._limits.idle_timeout
                if started
                else self._opened + self._limits.start_timeout
            ):
                data = await self._reader.read(PIECE_BYTES)
        except TimeoutError:
            self._dialect.finish(*_silent(self._limits, started=started))
            return b""
        except ConnectionError:
            self._lost = True
            return b""
        self._read_at = self._loop.time()
        return data

    def _count_audio(self) -> float:
        """Return the seconds of audio received since the last call."""
        utterance = self._utterance
        if utterance is None:
            return 0.0
        total = utterance.session.audio_seconds
        new, utterance.counted = total - utterance.counted, total
        self._record_audio(utterance.telemetry, new, total)
        return new

    # Recognition.

    async def _drive(self) -> None:
        await self._driver.run(
            lambda: self._session,
            publish=self._publish,
            finished=lambda: self._closing,
            failed=self._request_failed,
        )

    @property
    def _session(self) -> Session | None:
        return self._utterance.session if self._utterance is not None else None

    async def _publish(self) -> None:
        self._dialect.collect()
        self._follow_session()
        self._buffers_freed.set()
        self._unsent.set()

    def _request_failed(self, error: RecognitionError, consecutive: int) -> None:
        assert self._utterance is not None
        self._record_failure(self._utterance.telemetry, self._utterance.name, error, consecutive)

    # Events to the client.

    async def _send(self) -> None:
        """Send the dialect's events as fast as the client reads."""
        while True:
            self._unsent.clear()
            while events := self._dialect.outgoing():
                self._write(events)
                self._wake()
                await self._written()
            await self._unsent.wait()

    async def _written(self) -> None:
        """Wait until the client has read; one that does not read may still send."""
        while True:
            began = self._loop.time()
            try:
                async with asyncio.timeout(self._limits.send_timeout):
                    return await self._writer.drain()
            except TimeoutError:
                if self._read_at < began:
                    raise Unread from None
            except ConnectionError:  # the audio received before is still processed and recorded
                self._lost = True
                return None

    async def _send_rest(self) -> None:
        self._write(self._dialect.outgoing())
        await self._written()

    def _write(self, events: list[str]) -> None:
        if self._writer.is_closing():
            self._lost = True
        else:
            self._writer.write("".join(events).encode())

    async def _report_failure(self) -> None:
        self._dialect.fail(*close_errors.internal(self._dialect.name))
        with contextlib.suppress(Unread):
            await self._send_rest()


async def close_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close a socket once the client has closed it, or has had time to read.

    Bytes that the client still sends are read: closing a socket with unread bytes resets it, and
    may lose what was sent.
    """
    with contextlib.suppress(OSError, TimeoutError):
        if not writer.is_closing():
            writer.write_eof()
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(PIECE_BYTES):
                pass
    writer.close()


def _silent(limits: Limits, *, started: bool) -> close_errors.Fault:
    if started:
        code = "idle_timeout"
        message = (
            f"Received nothing for {limits.idle_timeout:g} s, so the connection was closed. Send "
            '"ping" to keep a connection open.'
        )
    else:
        code = "start_timeout"
        message = (
            f"Received no event within {limits.start_timeout:g} s. Send one right after connecting."
        )
    return ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code)
