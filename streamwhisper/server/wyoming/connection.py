"""One Wyoming connection over TCP: bytes to its dialect, requests to the scheduler, events back.

Three tasks share it, as in `connection`: the reader takes bytes in and pauses while buffers are
full, the driver has answered what the session asks, and the sender sends. The sender alone waits
for the client to read, for there are clients that read nothing until they have sent everything:
meanwhile text gathers in the dialect, and goes out in fewer and longer chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from streamwhisper.errors import RecognitionError
from streamwhisper.live.driver import MAX_FAILURES, SessionDriver
from streamwhisper.live.scheduler import Scheduler
from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.access.limits import Limits, RateLimiter
from streamwhisper.server.access.policy import Client
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, Close
from streamwhisper.server.dialects.wyoming.dialect import WyomingDialect
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.outcome import LOST, outcome_of
from streamwhisper.server.sessions.telemetry import SessionTelemetry
from streamwhisper.server.websocket.sender import Unread
from streamwhisper.session.session import Session

__all__ = ["WyomingConnection", "leave"]

log = logging.getLogger(__name__)

_PIECE_BYTES = 32 * 1024  # taken in at once, so that no client holds up the event loop
_LINGER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Hearing:
    """A session while it lasts, and what goes with it."""

    session: Session
    name: str
    account: SessionTelemetry
    limit: asyncio.TimerHandle | None

    def close(self, outcome: str) -> None:
        """It is over."""
        if self.limit is not None:
            self.limit.cancel()
        self.account.close(self.name, outcome)


class WyomingConnection:
    """Drives the sessions of one connection, one after the other, until it is closed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        dialect: WyomingDialect,
        scheduler: Scheduler,
        limits: Limits,
        metrics: Metrics,
        *,
        visitor: Client,
    ) -> None:
        """Join a socket, what is spoken on it, and who recognizes.

        Args:
            visitor: whose connection it is.
        """
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._driver = SessionDriver(scheduler)
        self._limits = limits
        self._metrics = metrics
        self._visitor = visitor
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._read_at = self._opened
        self._pace = RateLimiter(visitor.quota, self._opened)
        self._hearing: _Hearing | None = None
        self._heard = 0.0  # seconds of sound of the session, counted so far
        self._lost = False  # the connection was, and the client did not mean it
        self._room = asyncio.Event()  # for the reader: buffers were emptied
        self._unsent = asyncio.Event()  # for the sender: there may be something
        self._over = asyncio.Event()  # the dialect is closing
        # The sender waits until the system has taken what it wrote: nothing gathers here.
        writer.transport.set_write_buffer_limits(0)

    async def run(self) -> None:
        """Serve the client until one side leaves. Raises nothing but a cancellation."""
        outcome = None
        try:
            await self._converse()
            await self._send_rest()
        except Unread:
            outcome = "client_unread"
            self._writer.transport.abort()
        except Exception:  # outermost loop of a connection
            log.exception("a Wyoming connection failed")
            outcome = "server_error"
            await self._apologize()
        finally:
            self._driver.withdraw()
            if self._hearing is not None:
                self._hearing.close(outcome or self._outcome)
                self._hearing = None
            self._dialect.release()

    @property
    def lag(self) -> float:
        """Seconds of sound that are received and not recognized yet."""
        session = self._dialect.session
        return session.audio_seconds - session.covered_seconds if session is not None else 0.0

    def shut_down(self) -> None:
        """The server stops: hear the utterance out, within bounds, tell its transcript, close."""
        close = Close(GOING_AWAY, "the server is shutting down")
        self._dialect.retire(None, close)
        self._loop.call_later(self._limits.drain_timeout, self._finish, None, close)
        self._wake()

    def cut_off(self) -> None:
        """The server can wait no longer: close now, saying what is missing."""
        self._dialect.fail(*close_errors.cut_off())
        self._wake()

    @property
    def _outcome(self) -> str:
        closing = self._dialect.closing
        if self._lost:
            return LOST
        return "done" if closing is None else outcome_of(closing.code)

    def _finish(self, error: ErrorMessage | None, close: Close) -> None:
        self._dialect.finish(error, close)
        self._wake()

    def _wake(self) -> None:
        """Something has come in, or is to go out."""
        self._follow()
        self._driver.wake(self._session if self._dialect.closing is None else None)
        self._room.set()
        self._unsent.set()
        if self._dialect.closing is not None:
            self._over.set()

    def _follow(self) -> None:
        """Keep an account of the session that is there now, and close that of the one before."""
        session = self._dialect.session
        if self._hearing is not None and session is not self._hearing.session:
            self._driver.withdraw()
            self._hearing.close(self._outcome)
            self._hearing = None
        if session is None or self._hearing is not None:
            return
        account = SessionTelemetry(self._visitor, self._metrics, self._loop.time)
        self._driver.observer = account
        limit, seconds = None, self._visitor.quota.session_seconds
        if seconds is not None:
            limit = self._loop.call_later(seconds, self._finish, *close_errors.too_long(seconds))
        self._hearing = _Hearing(session, self._dialect.name, account, limit)
        self._heard = 0.0
        account.open(self._dialect.name)

    async def _converse(self) -> None:
        works = (self._read(), self._drive(), self._send(), self._over.wait())
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # In.

    async def _read(self) -> None:
        while data := await self._next():
            self._dialect.receive(data)
            self._wake()
            await self._hold(self._pace.wait(self._count(), self._loop.time()))
            while not self._dialect.can_receive:
                self._room.clear()
                await self._room.wait()
        # The client sends no more, and may listen still; if not, what it said is recorded whole.
        self._finish(None, Close(NORMAL))
        await self._over.wait()

    async def _next(self) -> bytes:
        """What comes next; nothing at the end, or when the client was silent for too long."""
        greeted = self._dialect.events > 0
        try:
            async with asyncio.timeout_at(
                self._loop.time() + self._limits.idle_timeout
                if greeted
                else self._opened + self._limits.start_timeout
            ):
                data = await self._reader.read(_PIECE_BYTES)
        except TimeoutError:
            self._dialect.finish(*_silent(self._limits, greeted=greeted))
            return b""
        except ConnectionError:
            self._lost = True
            return b""
        self._read_at = self._loop.time()
        return data

    def _count(self) -> float:
        """Seconds of sound since this was asked last."""
        if self._hearing is None:
            return 0.0
        heard = self._hearing.session.audio_seconds
        new, self._heard = heard - self._heard, heard
        self._hearing.account.hear(new)
        most = self._visitor.quota.session_seconds
        if most is not None and heard > most:
            self._finish(*close_errors.too_long(most))
        return new

    async def _hold(self, seconds: float) -> None:
        """Leave the socket unread for a while, or until the connection is over."""
        self._metrics.audio_held_seconds.inc(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    async def _drive(self) -> None:
        await self._driver.run(
            lambda: self._session,
            publish=self._publish,
            finished=lambda: self._dialect.closing is not None,
            failed=self._record_failure,
        )

    @property
    def _session(self) -> Session | None:
        return self._hearing.session if self._hearing is not None else None

    async def _publish(self) -> None:
        self._dialect.collect()
        self._follow()
        self._room.set()
        self._unsent.set()

    def _record_failure(self, error: RecognitionError, consecutive: int) -> None:
        hearing = self._hearing
        assert hearing is not None
        hearing.account.fail(hearing.name, error)
        if consecutive == MAX_FAILURES:
            self._dialect.fail(*close_errors.recognition_failed(consecutive, hearing.name))

    # Out.

    async def _send(self) -> None:
        """Send what there is, at the pace that the client reads."""
        while True:
            self._unsent.clear()
            while events := self._dialect.outgoing():
                self._write(events)
                self._wake()
                await self._written()
            await self._unsent.wait()

    async def _written(self) -> None:
        """Wait until the client has read; while it does not, it may still send."""
        while True:
            began = self._loop.time()
            try:
                async with asyncio.timeout(self._limits.send_timeout):
                    return await self._writer.drain()
            except TimeoutError:
                if self._read_at < began:
                    raise Unread from None
            except ConnectionError:  # what was said before is heard out for its record
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

    async def _apologize(self) -> None:
        self._dialect.fail(*close_errors.internal(self._dialect.name))
        with contextlib.suppress(Unread):
            await self._send_rest()


async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close a socket, once its client has done so or has had time to read.

    What the client still sends is read: a socket that is closed with something unread is reset,
    and what was sent through it may be lost with that.
    """
    with contextlib.suppress(OSError, TimeoutError):
        if not writer.is_closing():
            writer.write_eof()
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(_PIECE_BYTES):
                pass
    writer.close()


def _silent(limits: Limits, *, greeted: bool) -> close_errors.Fault:
    if greeted:
        code = "idle_timeout"
        message = (
            f"nothing came for {limits.idle_timeout:g} s, so the connection was closed; send "
            '"ping" to keep it.'
        )
    else:
        code = "start_timeout"
        message = f"no event within {limits.start_timeout:g} s; send one at once."
    return ErrorMessage(code, message, fatal=True), Close(CLIENT_FAULT, code)
