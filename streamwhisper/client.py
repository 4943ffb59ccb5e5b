"""Clients of a streamwhisper server: `StreamClient` for asyncio, `SyncStreamClient` without.

::

    async with connect("ws://127.0.0.1:8765/v1/stream", language="en") as stream:
        await stream.send(pcm)
        await stream.end()
        async for event in stream:
            if isinstance(event, Committed):
                print(event.text, end="")

`send` waits while the server's buffers are full. What the server says is kept until it is read,
so sound may be sent to the end before the first event is looked at.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.protocol import State
from websockets.sync.client import ClientConnection as SyncClientConnection
from websockets.sync.client import connect as connect_sync

from streamwhisper.errors import ConnectionLostError, ServerError, SessionError
from streamwhisper.events import Done, Event
from streamwhisper.protocol import (
    Ack,
    ClientMessage,
    End,
    ErrorMessage,
    Flush,
    Ping,
    Pong,
    Ready,
    ServerMessage,
    Start,
    Status,
    encode_client_message,
    parse_server_message,
)

__all__ = ["DEFAULT_URL", "StreamClient", "StreamEvent", "SyncStreamClient", "connect"]

DEFAULT_URL = "ws://127.0.0.1:8765/v1/stream"

StreamEvent = Event | Ack | Status | Pong | ErrorMessage
"""What a stream yields; an `ErrorMessage` here is not fatal."""

_CANNOT_CONNECT = (OSError, InvalidHandshake, InvalidURI, ConnectionClosed)
T = TypeVar("T")

_CHUNK = 64 * 1024  # bytes of audio in a frame; a server takes 1 MiB at the most


class StreamClient:
    """One session with a server, for use with ``async with``."""

    def __init__(self, url: str = DEFAULT_URL, *, open_timeout: float = 10.0, **start: Any) -> None:
        """Say where and how to start; entering the context connects.

        Args:
            url: of the server's stream, ``ws://`` or ``wss://``.
            open_timeout: seconds that connecting may take.
            start: fields of `streamwhisper.protocol.Start`, such as ``language="en"``.
        """
        self.url = url
        self._start = Start(**start)
        self._open_timeout = open_timeout
        self._websocket: ClientConnection | None = None
        self._ready: Ready | None = None
        self._over = False

    @property
    def ready(self) -> Ready:
        """What the server said on opening the session.

        Raises:
            SessionError: outside of the context.
        """
        return _opened(self._ready)

    async def __aenter__(self) -> StreamClient:
        """Connect and start.

        Raises:
            ConnectionLostError: nobody answers, or not a streamwhisper server.
            ServerError: the server does not take the session, and says why.
        """
        try:
            self._websocket = await connect_async(
                self.url, **_websocket_options(self.url, self._open_timeout)
            )
        except _CANNOT_CONNECT as error:
            raise _cannot_connect(self.url, error) from error
        try:
            await self._say(self._start)
            self._ready = _ready(self.url, await self._receive())
        except BaseException:
            await _close(self._websocket)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await _close(_opened(self._websocket))

    async def send(self, audio: bytes) -> None:
        """Send audio in the encoding that was declared; any size.

        Raises:
            ConnectionLostError: the server went away.
        """
        for start in range(0, len(audio), _CHUNK):
            await self._write(audio[start : start + _CHUNK])

    async def flush(self, id: str | None = None) -> None:
        """Have everything so far committed now; `Flushed` with this `id` follows it."""
        await self._say(Flush(id))

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
            ConnectionLostError: the server went away before it was done.
        """
        while not self._over:
            event = _event(await self._receive())
            self._over = isinstance(event, Done)
            yield event

    async def _say(self, message: ClientMessage) -> None:
        await self._write(encode_client_message(message))

    async def _write(self, frame: str | bytes) -> None:
        websocket = _opened(self._websocket)
        try:
            if websocket.state is State.CLOSED:  # see `_close`
                raise websocket.protocol.close_exc
            await websocket.send(frame)
        except ConnectionClosed as error:
            raise _lost(self.url, error) from error

    async def _receive(self) -> ServerMessage:
        try:
            frame = await _opened(self._websocket).recv(decode=True)
        except ConnectionClosed as error:
            raise _lost(self.url, error) from error
        return parse_server_message(frame)[1]


class SyncStreamClient:
    """One session with a server, for use with ``with``; the methods of `StreamClient`.

    One thread may send while another iterates.
    """

    def __init__(self, url: str = DEFAULT_URL, *, open_timeout: float = 10.0, **start: Any) -> None:
        """Say where and how to start; see `StreamClient`."""
        self.url = url
        self._start = Start(**start)
        self._open_timeout = open_timeout
        self._websocket: SyncClientConnection | None = None
        self._ready: Ready | None = None
        self._over = False

    @property
    def ready(self) -> Ready:
        """What the server said on opening the session."""
        return _opened(self._ready)

    def __enter__(self) -> SyncStreamClient:
        """Connect and start; raises as `StreamClient` does."""
        try:
            self._websocket = connect_sync(
                self.url, **_websocket_options(self.url, self._open_timeout)
            ).__enter__()
        except _CANNOT_CONNECT as error:
            raise _cannot_connect(self.url, error) from error
        try:
            self._say(self._start)
            self._ready = _ready(self.url, self._receive())
        except BaseException:
            self._websocket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _opened(self._websocket).close()

    def send(self, audio: bytes) -> None:
        """Send audio in the encoding that was declared; any size."""
        for start in range(0, len(audio), _CHUNK):
            self._write(audio[start : start + _CHUNK])

    def flush(self, id: str | None = None) -> None:
        """Have everything so far committed now; `Flushed` with this `id` follows it."""
        self._say(Flush(id))

    def ping(self, id: str | None = None) -> None:
        """Ask for a `Pong` with this `id`."""
        self._say(Ping(id))

    def end(self) -> None:
        """No more audio: the rest of the text comes, then `Done`."""
        self._say(End())

    def __iter__(self) -> Iterator[StreamEvent]:
        """Everything the server says, `Done` last; raises as `StreamClient` does."""
        while not self._over:
            event = _event(self._receive())
            self._over = isinstance(event, Done)
            yield event

    def _say(self, message: ClientMessage) -> None:
        self._write(encode_client_message(message))

    def _write(self, frame: str | bytes) -> None:
        try:
            _opened(self._websocket).send(frame)
        except ConnectionClosed as error:
            raise _lost(self.url, error) from error

    def _receive(self) -> ServerMessage:
        try:
            frame = _opened(self._websocket).recv(decode=True)
        except ConnectionClosed as error:
            raise _lost(self.url, error) from error
        return parse_server_message(frame)[1]


def connect(url: str = DEFAULT_URL, *, open_timeout: float = 10.0, **start: Any) -> StreamClient:
    """A `StreamClient` under the name that asyncio libraries use."""
    return StreamClient(url, open_timeout=open_timeout, **start)


async def _close(websocket: ClientConnection) -> None:
    # To close or to send where the server has closed in the middle of a large write makes
    # asyncio's transport fail: it was let go already, and is aborted once more.
    if websocket.state is not State.CLOSED:
        await websocket.close()


def _websocket_options(url: str, open_timeout: float) -> dict[str, Any]:
    return {
        "open_timeout": open_timeout,
        "compression": None,  # audio hardly shrinks
        # What is unread is text, a few kilobytes a minute. With a limit, a client that sends a
        # whole file before it reads would stop the server, which would stop the client.
        "max_queue": None,
        "proxy": _proxy(url),
    }


def _proxy(url: str) -> Literal[True] | None:
    """Whether to ask the environment for a proxy: not on the way to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return None if ip_address(host).is_loopback else True
    except ValueError:
        return None if host == "localhost" else True


def _opened(value: T | None) -> T:
    if value is None:
        raise SessionError("the stream is not open; use it inside of `with`, or `async with`")
    return value


def _ready(url: str, message: ServerMessage) -> Ready:
    if isinstance(message, Ready):
        return message
    _event(message)
    raise ConnectionLostError(f"{url} answered the start with {type(message).__name__}, not Ready")


def _event(message: ServerMessage) -> StreamEvent:
    if isinstance(message, ErrorMessage) and message.fatal:
        raise ServerError(message.code, message.message, fatal=True)
    if isinstance(message, Ready):
        raise ConnectionLostError("the server said ready a second time, in mid-session")
    return message


def _cannot_connect(url: str, error: Exception) -> Exception:
    if isinstance(error, InvalidURI):
        return ConnectionLostError(f"{error}; expected an address such as {DEFAULT_URL}")
    if isinstance(error, InvalidStatus):
        return _refused(url, error)
    if isinstance(error, InvalidHandshake | ConnectionClosed):
        return ConnectionLostError(
            f"{url} does not speak WebSocket ({error}); is it a streamwhisper server?"
        )
    reason = str(error) or type(error).__name__
    return ConnectionLostError(
        f"cannot connect to {url}: {reason}. Is a server running there? Try: streamwhisper serve"
    )


def _refused(url: str, error: InvalidStatus) -> Exception:
    response = error.response
    body = bytes(response.body or b"").decode(errors="replace").strip()
    try:
        answer = json.loads(body)
        return ServerError(str(answer["code"]), str(answer["message"]), fatal=True)
    except (ValueError, TypeError, KeyError):
        said = f"{response.status_code} {response.reason_phrase}".strip()
        return ConnectionLostError(f"{url} answered HTTP {said}: {body[:200]}")


def _lost(url: str, error: ConnectionClosed) -> ConnectionLostError:
    return ConnectionLostError(
        f"the connection to {url} was lost before the session was done: {error}. What is "
        "committed stays; open another session for the audio after it."
    )
