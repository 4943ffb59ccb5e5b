"""One WebSocket connection: frames to its dialect, requests to the scheduler, texts back.

Its dialect has a session of its own, or one for each channel of the sound, or one whose connection
was lost, once its client claims it.

A reader and drivers share a connection. The reader takes frames in, and pauses while a session's
buffers are full, so that the pressure reaches the client. Each driver has answered what one session
asks, one request at a time; while that waits for its turn, the reader keeps it up to the newest
sound. All of them send what has come of it before they go on: a client that does not read stops
all, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from streamwhisper.errors import RecognitionError
from streamwhisper.live.driver import MAX_FAILURES, SessionDriver
from streamwhisper.live.scheduler import Scheduler
from streamwhisper.server.access.limits import Limits, RateLimiter
from streamwhisper.server.access.policy import Client
from streamwhisper.server.dialect import GOING_AWAY, NORMAL, Close, Dialect
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.outcome import LOST, how_client_left, how_server_left
from streamwhisper.server.sessions.resumable import ResumableSessions
from streamwhisper.server.sessions.telemetry import SessionTelemetry
from streamwhisper.server.websocket.keepalive import keep_alive
from streamwhisper.server.websocket.sender import Leaving, Sender, Unread
from streamwhisper.session.session import Session

__all__ = ["Connection"]

log = logging.getLogger(__name__)

_PIECE_BYTES = 32 * 1024  # of audio taken in at once, so that no client holds up the event loop
_LARGE_BYTES = 256 * 1024  # a text frame that would hold up the event loop to look into
_READ_OUT_SECONDS = 1.0
_RESUMABLE = {LOST, "client_unread"}  # outcomes
_GONE = {*_RESUMABLE, "client_left"}  # likewise: nobody reads any more


class Connection:
    """Drives one session from its first frame to its close."""

    def __init__(
        self,
        websocket: ServerConnection,
        dialect: Dialect,
        scheduler: Scheduler,
        limits: Limits,
        metrics: Metrics,
        parking: ResumableSessions,
        *,
        visitor: Client,
        name: str,
        unwrap: Callable[[str | bytes], str | bytes] = lambda frame: frame,
    ) -> None:
        """Join a socket, what is spoken on it, and who recognizes.

        Args:
            parking: where sessions wait whose connection is lost.
            visitor: whose connection it is.
            name: for the log.
            unwrap: takes the sound out of text frames that carry it.
        """
        self._websocket = websocket
        self._outlet = Sender(websocket, limits.send_timeout)
        self._dialect = dialect
        self._limits = limits
        self._metrics = metrics
        self._parking = parking
        self._allowance = visitor.quota
        self._name = name
        self._unwrap = unwrap
        self._loop = asyncio.get_running_loop()
        self._account = SessionTelemetry(visitor, metrics, self._loop.time)
        self._drivers = [
            SessionDriver(scheduler, self._account) for _ in range(max(1, len(dialect.sessions)))
        ]
        self._pace = RateLimiter(visitor.quota, self._account.opened)
        self._client_awaited_since: float | None = None  # None: the reader has something to do
        self._room = asyncio.Event()  # for the reader: a session took audio from its buffers
        self._over = asyncio.Event()  # the dialect is closing
        self._stopping = asyncio.Event()  # the server is
        self._all_read = asyncio.Event()  # the reader waits for the client
        self._sending = asyncio.Lock()
        self._handed_over = False  # the session is another connection's
        self._gone = False  # the client is

    async def run(self) -> None:
        """Serve the client until one side leaves. Raises nothing but a cancellation."""
        self._account.open(self._name)
        outcome = "server_error"
        try:
            outcome = await self._converse()
        except (ConnectionClosed, Leaving):
            outcome = self._how_client_left()
        except Unread:
            self._websocket.transport.abort()
            outcome = "client_unread"
        except Exception:  # outermost loop of a connection
            log.exception("session %s: failed", self._name)
            await self._apologize()
        finally:
            await self._leave(outcome)
        await self._read_out()

    async def _read_out(self) -> None:
        """Read what is left of a client that leaves: unread, it would hide that it is gone."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(_READ_OUT_SECONDS):
                while self._websocket.state is State.CLOSING:
                    await self._websocket.recv()

    @property
    def lag(self) -> float:
        """Seconds of sound that are received and not recognized yet."""
        lags = (s.audio_seconds - s.covered_seconds for s in self._dialect.sessions)
        return max(lags, default=0.0)

    async def _leave(self, outcome: str) -> None:
        dialect = self._dialect
        if self._handed_over:
            outcome = "handed_over"
        elif (resumable := dialect.resumable) is not None and dialect.sessions:
            if outcome in _RESUMABLE and self._parking.park(resumable):
                self._withdraw()
                self._account.close(self._name, outcome, kept=True)
                return
            self._parking.leave(resumable)
        if outcome in _GONE and dialect.sessions and dialect.closing is None:
            await self._hear_out()
        dialect.release()
        self._account.close(self._name, outcome, closed=not self._handed_over)

    async def _hear_out(self) -> None:
        """Have the last words of a client that is gone committed: others read along, or record."""
        self._gone = True
        self._withdraw()
        drivers = [asyncio.create_task(self._drive(n)) for n in range(len(self._drivers))]
        try:
            async with asyncio.timeout(self._limits.drain_timeout):
                with contextlib.suppress(ConnectionClosed):
                    await self._read()
                self._dialect.finish(None, Close(NORMAL))
                self._wake()
                await asyncio.gather(*drivers)
        except TimeoutError:
            log.warning("session %s: its last words were not heard in time", self._name)
        finally:
            for driver in drivers:
                driver.cancel()

    def hand_over(self) -> None:
        """Let go of the session, which goes on in another connection; say so, and close."""
        dialect = self._dialect.resumable
        assert dialect is not None
        self._withdraw()
        self._handed_over = True
        self._dialect = dialect.left_behind()
        self._wake()

    def _withdraw(self) -> None:
        """What is asked for is not waited for any more, and may be asked for again."""
        for driver in self._drivers:
            driver.withdraw()
        for session in self._dialect.sessions:
            session.abandon_request()

    def shut_down(self) -> None:
        """The server stops: hear what the client has sent, commit everything, and close."""
        self._stopping.set()

    def cut_off(self) -> None:
        """The server can wait no longer: close now, saying what is missing."""
        self._dialect.fail(*close_errors.cut_off())
        self._wake()

    def _wake(self) -> None:
        for number, driver in enumerate(self._drivers):
            driver.wake(self._session(number) if self._dialect.closing is None else None)
        self._room.set()
        if self._dialect.closing is not None:
            self._over.set()

    async def _converse(self) -> str:
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._read(),
                *map(self._drive, range(len(self._drivers))),
                self._drain(),
                self._limit_length(),
                keep_alive(self._websocket, lambda: self._client_awaited_since),
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
            await self._outlet.close(close)
            return how_server_left(close.code, self._websocket.protocol.close_rcvd)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            for piece in _pieces(await self._unwrapped(await self._next_frame())):
                while isinstance(piece, bytes) and not self._dialect.can_receive:
                    self._room.clear()
                    await self._room.wait()
                heard = self._take(piece)
                self._wake()
                await self._send()
                # A large frame must not hold up the others, nor come faster than is allowed.
                await self._hold(self._pace.wait(heard, self._loop.time()))

    async def _unwrapped(self, frame: str | bytes) -> str | bytes:
        if len(frame) > _LARGE_BYTES:
            return await asyncio.to_thread(self._unwrap, frame)
        return self._unwrap(frame)

    async def _hold(self, seconds: float) -> None:
        """Leave the socket unread for a while, or until the connection is over."""
        self._metrics.audio_held_seconds.inc(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
        elif self._dialect.closing is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()

    async def _limit_length(self) -> None:
        """End a session that lasts too long; what it has heard is committed."""
        if self._allowance.session_seconds is not None:
            await asyncio.sleep(self._allowance.session_seconds)
            self._end_for_length(self._allowance.session_seconds)
        await self._over.wait()

    def _end_for_length(self, seconds: float) -> None:
        self._dialect.finish(*close_errors.too_long(seconds))
        self._wake()

    async def _next_frame(self) -> str | bytes:
        """The next frame; an empty one when the client has been silent for too long."""
        started, limits = bool(self._dialect.sessions), self._limits
        seconds = limits.idle_timeout if started else limits.start_timeout
        since = self._loop.time() if started else self._account.opened
        patience = None if self._dialect.closing is not None else since + seconds
        try:
            self._all_read.set()
            self._client_awaited_since = self._loop.time()
            async with asyncio.timeout_at(patience):
                return await self._websocket.recv()
        except TimeoutError:
            self._dialect.finish(*close_errors.silent(seconds, started=started))
            self._wake()
            return b""
        finally:
            self._all_read.clear()
            self._client_awaited_since = None

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

    def _take(self, frame: str | bytes) -> float:
        """Have the dialect receive a frame; how many seconds of sound that brought."""
        if isinstance(frame, str) and (size := len(frame.encode())) > self._limits.max_text_bytes:
            self._dialect.fail(*close_errors.text_too_big(size, self._limits))
            return 0.0
        started, before = bool(self._dialect.sessions), self._audio_seconds
        self._dialect.receive(frame)
        if not started:
            self._enter()
            return 0.0
        heard = self._audio_seconds - before
        self._account.hear(heard)
        most = self._allowance.session_seconds
        if most is not None and self._audio_seconds > most:
            self._end_for_length(most)
        return heard

    @property
    def _audio_seconds(self) -> float:
        """Sound received; channels are heard at the same time."""
        return max((s.audio_seconds for s in self._dialect.sessions), default=0.0)

    def _enter(self) -> None:
        """A session that starts can be resumed from now on; one that is claimed goes on here."""
        dialect = self._dialect.resumable
        if dialect is None or dialect.closing is not None:
            return
        claim = dialect.claim
        if claim is None:
            if dialect.sessions:
                self._parking.enter(dialect, self)
            return
        resumed = self._parking.resume(claim.resume or "", self)
        if resumed is None:
            self._dialect.fail(*close_errors.unknown_token())
        elif resumed.rejoin(claim):
            log.info("session %s: resumed as %s", resumed.name, self._name)
            self._dialect, self._name = resumed, resumed.name
            self._metrics.sessions_resumed.inc()
        else:
            self._parking.leave(resumed)
            resumed.release()
            self._dialect.fail(*close_errors.messages_gone(claim.last_seq))

    async def _drive(self, number: int) -> None:
        """Recognize what the session of this number asks for, once there is one."""
        await self._drivers[number].run(
            lambda: self._session(number),
            publish=self._publish,
            finished=lambda: self._dialect.closing is not None,
            failed=self._record_failure,
        )

    async def _publish(self) -> None:
        self._room.set()
        await self._send()

    def _record_failure(self, error: RecognitionError, consecutive: int) -> None:
        self._account.fail(self._name, error)
        if consecutive == MAX_FAILURES:
            self._dialect.fail(*close_errors.recognition_failed(consecutive, self._name))

    def _session(self, number: int) -> Session | None:
        sessions = self._dialect.sessions
        return sessions[number] if number < len(sessions) else None

    async def _send(self) -> None:
        """Send what the dialect has to say, in order, at the pace that the client reads."""
        async with self._sending:
            # Reported before the answer comes, so that a late answer does not hide the wait.
            self._dialect.record_wait(sum(driver.take_wait() for driver in self._drivers))
            for text in self._dialect.outgoing():
                if self._gone:
                    continue
                await self._outlet.send(text)

    async def _apologize(self) -> None:
        error, close = close_errors.internal(self._name)
        self._dialect.fail(error, close)
        try:
            await self._send()
            await self._outlet.close(close)
        except (ConnectionClosed, Leaving, Unread):
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
