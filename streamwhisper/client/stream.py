"""Asyncio client of a streamwhisper server."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, TypeVar, cast

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from streamwhisper.client.connecting import DEFAULT_URL, Credentials, close, dial, lost
from streamwhisper.client.event_queue import EventQueue
from streamwhisper.client.protocol import ClientProtocol, StreamEvent
from streamwhisper.client.reconnection import Reconnection
from streamwhisper.client.replay_buffer import Command
from streamwhisper.errors import (
    ConnectionLostError,
    ServerError,
    SessionError,
    StreamWhisperError,
)
from streamwhisper.events import Done
from streamwhisper.protocol import End, Flush, Ping, Ready, Start, VocabularyMessage

__all__ = ["StreamClient", "connect"]

_CANNOT_RESUME = {"resume_unknown", "resume_failed"}  # error codes
# Error codes after which a server may accept the session later.
_BUSY = {"loading", "shutting_down", "too_many_sessions", "overloaded"}
T = TypeVar("T")

_UNREAD_TIMEOUT = 10.0  # seconds that `send` waits for an event to be read
_CHUNK = 64 * 1024  # bytes of audio per frame; servers accept up to 1 MiB


class StreamClient:
    """One session with a server, for use with ``async with``."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        open_timeout: float = 10.0,
        reconnect: Reconnection | None = Reconnection(),  # noqa: B008 (it is frozen)
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        **start: Any,
    ) -> None:
        """Prepare a session; entering the context connects.

        Args:
            url: address of the server's stream, ``ws://`` or ``wss://``.
            open_timeout: seconds that connecting may take.
            reconnect: how to reconnect after a lost connection; None raises an error instead.
            token: access token, if the server needs one.
            tls: TLS context for ``wss://``, e.g. `trust_anything()`; None trusts what the
                system trusts.
            start: fields of `streamwhisper.protocol.Start`, e.g. ``language="en"``.
        """
        self.url = url
        self._open_timeout = open_timeout
        self._reconnect = reconnect
        self._credentials = Credentials(token, tls)
        self._protocol = ClientProtocol(Start(**start), reconnect or Reconnection())
        self._websocket: ClientConnection | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None  # of what the lost connection left unsent
        self._events = EventQueue()
        self._failure: Exception | None = None
        self._sending = asyncio.Lock()
        self._changed = asyncio.Event()  # an event arrived or was read, or the session is over
        self._outage = 0.0  # seconds without a connection since the last new message
        self._attempts = 0  # to connect, since the last new message

    @property
    def ready(self) -> Ready:
        """The server's answer to the last start or resume.

        Raises:
            SessionError: the stream was not entered.
        """
        return opened(self._protocol.ready)

    async def __aenter__(self) -> StreamClient:
        """Connect and start the session.

        Raises:
            ConnectionLostError: the server cannot be reached, or is not a streamwhisper server.
            ServerError: the server rejects the session.
        """
        await self._open()
        self._receiver = asyncio.create_task(self._receive_all())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = [task for task in (self._receiver, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await close(opened(self._websocket))

    async def send(self, audio: bytes) -> None:
        """Send audio of any length, in the declared encoding; wait while the buffers are full.

        Raises:
            ConnectionLostError: the connection is lost and could not be made again.
            ServerError: the server has ended the session.
            SessionError: thousands of events are unread.
        """
        for start in range(0, len(audio), _CHUNK):
            await self._has_room()
            self._protocol.send(bytes(audio[start : start + _CHUNK]))
            await self._send()

    async def flush(self, id: str | None = None) -> None:
        """Commit all audio sent so far; a `Flushed` event with this `id` follows."""
        await self._command(Flush(id))

    async def set_vocabulary(self, words: Sequence[str]) -> None:
        """Replace the vocabulary from now on."""
        await self._command(VocabularyMessage(tuple(words)))

    async def ping(self, id: str | None = None) -> None:
        """Request a `Pong` with this `id`."""
        await self._command(Ping(id))

    async def end(self) -> None:
        """Declare the end of the audio; the remaining events follow, `Done` last."""
        await self._command(End())

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """Iterate over the events, `Done` last.

        Raises:
            ServerError: the server has ended the session with an error.
            ConnectionLostError: the connection is lost and could not be made again.
        """
        while (event := await self.receive()) is not None:
            yield event

    async def receive(self) -> StreamEvent | None:
        """Wait for the next event; return None after `Done`. Raises the errors of iteration."""
        opened(self._receiver)
        event = await self._events.get()
        if event is None and self._failure is not None:
            raise self._failure
        self._changed.set()
        return cast("StreamEvent | None", event)

    async def _has_room(self) -> None:
        """Wait until more audio may be sent."""
        self._check()
        while self._protocol.full or self._events.full:
            self._changed.clear()
            try:
                async with asyncio.timeout(_UNREAD_TIMEOUT if self._events.full else None):
                    await self._changed.wait()
            except TimeoutError:
                raise SessionError(
                    f"thousands of events are unread, and none was read for {_UNREAD_TIMEOUT:g} s; "
                    "iterate over the stream in another task (or thread) while sending"
                ) from None
            self._check()

    async def _command(self, command: Command) -> None:
        self._check()
        self._protocol.command(command)
        await self._send()

    def _check(self) -> None:
        """Raise the error that ended the session, if it is over."""
        if opened(self._receiver).done():
            raise self._failure or ConnectionLostError(
                f"the session with {self.url} is done; open another session for more audio"
            )

    async def _send(self) -> None:
        """Send what is queued; the next connection sends what this one cannot."""
        async with self._sending:
            while (frame := self._protocol.take()) is not None:
                websocket = opened(self._websocket)
                try:
                    if websocket.state is State.CLOSED:  # see `close`
                        return
                    await websocket.send(frame)
                except ConnectionClosed:
                    return

    async def _receive_all(self) -> None:
        """Receive from this and later connections until the session is over."""
        try:
            while not await self._receive_frame():
                pass
        except Exception as error:  # raised again to the caller
            self._failure = error
        finally:
            self._events.close()
            self._changed.set()

    async def _receive_frame(self) -> bool:
        """Receive one frame, or reconnect; return whether the session is done."""
        protocol = self._protocol
        try:
            frame = await opened(self._websocket).recv(decode=True)
        except ConnectionClosed as error:
            await self._reconnect_after(lost(self.url, error))
            return False
        before = protocol.last_seq
        try:
            events = protocol.receive(frame)
        except ServerError as error:
            if error.code not in _BUSY or self._reconnect is None:
                raise
            protocol.start_again()
            await self._reconnect_after(error)
            return False
        if protocol.last_seq > before:
            self._outage, self._attempts = 0.0, 0
        done = events[-1] if events and isinstance(events[-1], Done) else None
        stopped = done is not None and self._reconnect is not None and protocol.outlives(done)
        for event in events[:-1] if stopped else events:
            self._events.put(event)
        self._changed.set()
        if stopped:
            protocol.start_again()
            await self._reconnect_after(
                ConnectionLostError(
                    f"the server at {self.url} was stopped during the session, and no other "
                    "server took its place. Committed text stays valid; open another session for "
                    "the audio after it."
                )
            )
        return done is not None and not stopped

    async def _reconnect_after(self, cause: StreamWhisperError) -> None:
        """Connect until a server takes the session, then send what it has not received.

        Args:
            cause: why the session needs another connection.

        Raises:
            StreamWhisperError: the cause, without reconnection or after its patience; a server's
                rejection; or the session cannot be continued.
        """
        options = self._reconnect
        if options is None:
            raise cause
        lost_at = _now()
        while True:
            delay = options.delay(self._attempts, random.random())
            if isinstance(cause, ServerError) and cause.retry_after is not None:
                delay = max(delay, min(cause.retry_after, options.longest_delay))
            self._attempts += 1
            if self._outage + _now() - lost_at + delay > options.patience:
                raise cause
            await asyncio.sleep(delay)
            await close(opened(self._websocket))
            try:
                await self._open()
            except ServerError as error:
                if error.code in _CANNOT_RESUME:
                    self._protocol.start_again()
                elif error.code not in _BUSY:
                    raise
                else:
                    cause = error
            except ConnectionLostError as error:
                cause = error
            else:
                break
        self._outage += _now() - lost_at
        if self._sender is not None:
            self._sender.cancel()
        self._sender = asyncio.create_task(self._send())

    async def _open(self) -> None:
        """Connect, and start or resume the session."""
        websocket = await dial(self.url, self._open_timeout, self._credentials)
        try:
            await websocket.send(self._protocol.opening())
            async with asyncio.timeout(self._open_timeout):
                frame = await websocket.recv(decode=True)
            self._protocol.opened(frame)
        except ConnectionClosed as error:
            await close(websocket)
            raise lost(self.url, error) from error
        except TimeoutError:
            await close(websocket)
            raise ConnectionLostError(
                f"{self.url} did not answer within {self._open_timeout:g} s; expected a ready "
                "message. Is it a streamwhisper server?"
            ) from None
        except BaseException:
            await close(websocket)
            raise
        self._websocket = websocket


def connect(url: str = DEFAULT_URL, **options: Any) -> StreamClient:
    """Return a `StreamClient`; see there for the options."""
    return StreamClient(url, **options)


def opened(value: T | None) -> T:
    """Return `value`; raise SessionError if it is None because the stream was not entered."""
    if value is None:
        raise SessionError("the stream is not open; use it inside `with` or `async with`")
    return value


def _now() -> float:
    return asyncio.get_running_loop().time()
