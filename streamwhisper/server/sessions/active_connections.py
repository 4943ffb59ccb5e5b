"""Active connections: the parts that all protocols share, and the set of those that are open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from streamwhisper.errors import RecognitionError
from streamwhisper.live.driver import MAX_FAILURES
from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.access.limits import Limits, RateLimiter
from streamwhisper.server.access.policy import AccessPolicy, Client
from streamwhisper.server.dialect import Close
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.sessions import close_errors
from streamwhisper.server.sessions.telemetry import SessionTelemetry
from streamwhisper.session.session import Session

__all__ = ["PIECE_BYTES", "ActiveConnection", "ActiveConnections", "pieces", "until_first"]

log = logging.getLogger(__name__)

PIECE_BYTES = 4 * 1024
"""Bytes processed at once, at most a second of audio, so that no client holds up the event loop."""


class Endable(Protocol):
    """The part of a `Dialect` that ends a conversation."""

    @property
    def closing(self) -> Close | None: ...
    @property
    def can_receive(self) -> bool: ...
    def finish(self, error: ErrorMessage | None, close: Close) -> None: ...
    def fail(self, error: ErrorMessage, close: Close) -> None: ...


D = TypeVar("D", bound=Endable)


class ActiveConnection(ABC, Generic[D]):
    """A connection whose sessions the server drives.

    Subclasses call `_wake` after every change, and pace the client's audio with `_hold`.
    """

    def __init__(self, dialect: D, client: Client, limits: Limits, metrics: Metrics) -> None:
        self._dialect = dialect
        self._client = client
        self._limits = limits
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._rate_limiter = RateLimiter(client.quota, self._opened)
        self._buffers_freed = asyncio.Event()  # sessions took audio from their buffers
        self._over = asyncio.Event()  # the dialect is closing

    @property
    @abstractmethod
    def sessions(self) -> Sequence[Session]:
        """The sessions that are driven now."""

    @abstractmethod
    def shut_down(self) -> None:
        """Process what the client has sent, commit all text, and close: the server stops."""

    @abstractmethod
    def _wake(self) -> None:
        """Let drivers, reader and sender continue after a change of the dialect."""

    @property
    def lag(self) -> float:
        """Seconds of received audio that are not recognized yet."""
        lags = (s.audio_seconds - s.covered_seconds for s in self.sessions)
        return max(lags, default=0.0)

    @property
    def _closing(self) -> bool:
        return self._dialect.closing is not None

    def cut_off(self) -> None:
        """Close at once, and report that text is missing: the server cannot wait longer."""
        self._dialect.fail(*close_errors.cut_off())
        self._wake()

    def _finish(self, error: ErrorMessage | None, close: Close) -> None:
        self._dialect.finish(error, close)
        self._wake()

    def _record_audio(self, telemetry: SessionTelemetry, new: float, total: float) -> None:
        """Count new seconds of audio, and end a session that has too much in total."""
        telemetry.record_audio(new)
        most = self._client.quota.session_seconds
        if most is not None and total > most:
            self._finish(*close_errors.too_long(most))

    def _record_failure(
        self, telemetry: SessionTelemetry, name: str, error: RecognitionError, consecutive: int
    ) -> None:
        """Count a failed request, and give up a session after several in a row."""
        telemetry.fail(name, error)
        if consecutive == MAX_FAILURES:
            self._dialect.fail(*close_errors.recognition_failed(consecutive, name))

    async def _wait_for_buffers(self) -> None:
        """Wait until the sessions can receive audio."""
        while not self._dialect.can_receive:
            self._buffers_freed.clear()
            await self._buffers_freed.wait()

    async def _hold(self, received: float) -> None:
        """Leave the socket unread for as long as the client's quota demands.

        Args:
            received: seconds of audio since the last call.
        """
        if self._client.quota.audio_rate is None:
            received *= len(self.sessions)  # the cost of channels, whatever they say
        seconds = self._rate_limiter.wait(received, self._loop.time())
        self._metrics.audio_held_seconds.inc(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)  # a large frame must not hold up the other connections
        elif not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()


def pieces(frame: str | bytes) -> Iterator[str | bytes]:
    """Split a binary frame into pieces of `PIECE_BYTES`."""
    if isinstance(frame, str):
        yield frame
        return
    for start in range(0, len(frame), PIECE_BYTES):
        yield frame[start : start + PIECE_BYTES]


@contextlib.asynccontextmanager
async def until_first(*works: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Run coroutines until the first one returns or raises; the others run on during the body."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            task.result()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ActiveConnections:
    """All open connections of a server; each holds its session slots."""

    def __init__(self, access: AccessPolicy) -> None:
        self._access = access
        self._open: set[ActiveConnection[Any]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def longest_lag(self) -> float:
        """The largest `ActiveConnection.lag`, in seconds."""
        return max((connection.lag for connection in self._open), default=0.0)

    @contextmanager
    def hold(
        self, client: Client, connection: ActiveConnection[Any], slots: int = 1
    ) -> Iterator[None]:
        """Count a connection as open, with its session slots, while the body runs."""
        with self._access.hold_slots(client, slots):
            self._open.add(connection)
            self._empty.clear()
            try:
                yield
            finally:
                self._open.discard(connection)
                if not self._open:
                    self._empty.set()

    def shut_down(self) -> None:
        """Let every connection finish and close."""
        for connection in self._open:
            connection.shut_down()

    async def drain(self, seconds: float) -> None:
        """Wait until all connections are closed; cut them off after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            log.warning("cutting off %d sessions that did not finish in time", len(self._open))
            for connection in self._open:
                connection.cut_off()
