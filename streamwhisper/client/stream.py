"""The asyncio client of a streamwhisper server."""

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

_FORGOTTEN = {"resume_unknown", "resume_failed"}  # codes of a server that cannot resume
# And of one that may serve later.
_BUSY = {"loading", "shutting_down", "too_many_sessions", "overloaded"}
T = TypeVar("T")

_UNREAD_TIMEOUT = 10.0  # seconds that `send` waits for somebody to read
_CHUNK = 64 * 1024  # bytes of audio in a frame; a server takes 1 MiB at the most


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
        """Say where and how to start; entering the context connects.

        Args:
            url: of the server's stream, ``ws://`` or ``wss://``.
            open_timeout: seconds that connecting may take.
            reconnect: what to do about a connection that is lost; None raises an error.
            token: the key that the server wants, if it wants one.
            tls: what is trusted at a ``wss://`` address, such as `trust_anything`; None: what
                the system trusts.
            start: fields of `streamwhisper.protocol.Start`, such as ``language="en"``.
        """
        self.url = url
        self._open_timeout = open_timeout
        self._reconnect = reconnect
        self._credentials = Credentials(token, tls)
        self._conversation = ClientProtocol(Start(**start), reconnect or Reconnection())
        self._websocket: ClientConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None  # of what a lost connection left unsaid
        self._inbox = EventQueue()
        self._failure: Exception | None = None
        self._sending = asyncio.Lock()
        self._news = asyncio.Event()  # the server said something, or the session is over
        self._outage = 0.0  # seconds without a connection since the last new message
        self._attempts = 0  # to connect, since the last new message

    @property
    def ready(self) -> Ready:
        """What the server said on opening the session, or on resuming it last.

        Raises:
            SessionError: outside of the context.
        """
        return opened(self._conversation.ready)

    async def __aenter__(self) -> StreamClient:
        """Connect and start.

        Raises:
            ConnectionLostError: nobody answers, or not a streamwhisper server.
            ServerError: the server does not take the session, and says why.
        """
        await self._open()
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = [task for task in (self._listener, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await close(opened(self._websocket))

    async def send(self, audio: bytes) -> None:
        """Send audio in the encoding that was declared; any size.

        Raises:
            ConnectionLostError: the server went away, and no other took its place.
            ServerError: it has ended the session.
            SessionError: nobody reads what it says.
        """
        for start in range(0, len(audio), _CHUNK):
            await self._has_room()
            self._conversation.send(bytes(audio[start : start + _CHUNK]))
            await self._send()

    async def flush(self, id: str | None = None) -> None:
        """Have everything so far committed now; `Flushed` with this `id` follows it."""
        await self._say(Flush(id))

    async def set_vocabulary(self, words: Sequence[str]) -> None:
        """Prefer these words and phrases from now on, in place of those before."""
        await self._say(VocabularyMessage(tuple(words)))

    async def ping(self, id: str | None = None) -> None:
        """Ask for a `Pong` with this `id`."""
        await self._say(Ping(id))

    async def end(self) -> None:
        """No more audio: the rest of the text comes, then `Done`."""
        await self._say(End())

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """Everything the server says, `Done` last.

        Raises:
            ServerError: a fatal error.
            ConnectionLostError: the server went away before it was done, and no other took its
                place.
        """
        while (event := await self.receive()) is not None:
            yield event

    async def receive(self) -> StreamEvent | None:
        """The next thing that the server says; None after `Done`. Raises as iterating does."""
        opened(self._listener)
        event = await self._inbox.get()
        if event is None and self._failure is not None:
            raise self._failure
        self._news.set()
        return cast("StreamEvent | None", event)

    async def _has_room(self) -> None:
        """Wait until more may be sent."""
        self._check()
        while self._conversation.full or self._inbox.full:
            self._news.clear()
            try:
                async with asyncio.timeout(_UNREAD_TIMEOUT if self._inbox.full else None):
                    await self._news.wait()
            except TimeoutError:
                raise SessionError(
                    f"thousands of events are unread, and none was read for {_UNREAD_TIMEOUT:g} s; "
                    "iterate over the stream in another task (or thread) while sending"
                ) from None
            self._check()

    async def _say(self, command: Command) -> None:
        self._check()
        self._conversation.say(command)
        await self._send()

    def _check(self) -> None:
        """Raise what ended the session, if it is over."""
        if opened(self._listener).done():
            raise self._failure or ConnectionLostError(
                f"the session with {self.url} is done; open another one for more audio"
            )

    async def _send(self) -> None:
        """Send what there is; what is not sent is sent by the next connection."""
        async with self._sending:
            while (frame := self._conversation.take()) is not None:
                websocket = opened(self._websocket)
                try:
                    if websocket.state is State.CLOSED:  # see `close`
                        return
                    await websocket.send(frame)
                except ConnectionClosed:
                    return

    async def _listen(self) -> None:
        """Take in what the server says, on this connection and on those after it."""
        try:
            while not await self._hear():
                pass
        except Exception as error:  # outermost loop of a connection: the caller is told
            self._failure = error
        finally:
            self._inbox.close()
            self._news.set()

    async def _hear(self) -> bool:
        """Take in one frame, or come back; whether that was the last."""
        conversation = self._conversation
        try:
            frame = await opened(self._websocket).recv(decode=True)
        except ConnectionClosed as error:
            await self._come_back(lost(self.url, error))
            return False
        before = conversation.last_seq
        try:
            events = conversation.hear(frame)
        except ServerError as error:
            if error.code not in _BUSY or self._reconnect is None:
                raise
            conversation.start_again()
            await self._come_back(error)
            return False
        if conversation.last_seq > before:
            self._outage, self._attempts = 0.0, 0
        done = events[-1] if events and isinstance(events[-1], Done) else None
        stopped = done is not None and self._reconnect is not None and conversation.outlives(done)
        for event in events[:-1] if stopped else events:
            self._inbox.put(event)
        self._news.set()
        if stopped:
            conversation.start_again()
            await self._come_back(
                ConnectionLostError(
                    f"the server at {self.url} was stopped in the middle of the session, and no "
                    "other took its place. What is committed stays; open another session for the "
                    "audio after it."
                )
            )
        return done is not None and not stopped

    async def _come_back(self, cause: StreamWhisperError) -> None:
        """Connect until a server takes the session, and have said what it has not heard.

        Raises:
            StreamWhisperError: the cause, when that lasts too long or is not wanted; what a
                server says against the session; or that it cannot be continued.
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
                if error.code in _FORGOTTEN:
                    self._conversation.start_again()
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
        """Make a connection, and start the session on it or resume it."""
        websocket = await dial(self.url, self._open_timeout, self._credentials)
        try:
            await websocket.send(self._conversation.opening())
            async with asyncio.timeout(self._open_timeout):
                frame = await websocket.recv(decode=True)
            self._conversation.opened(frame)
        except ConnectionClosed as error:
            await close(websocket)
            raise lost(self.url, error) from error
        except TimeoutError:
            await close(websocket)
            raise ConnectionLostError(
                f"{self.url} does not answer: {self._open_timeout:g} s after the start there was "
                "no ready. Is it a streamwhisper server?"
            ) from None
        except BaseException:
            await close(websocket)
            raise
        self._websocket = websocket


def connect(url: str = DEFAULT_URL, **options: Any) -> StreamClient:
    """A `StreamClient` under the name that asyncio libraries use."""
    return StreamClient(url, **options)


def opened(value: T | None) -> T:
    if value is None:
        raise SessionError("the stream is not open; use it inside of `with`, or `async with`")
    return value


def _now() -> float:
    return asyncio.get_running_loop().time()
