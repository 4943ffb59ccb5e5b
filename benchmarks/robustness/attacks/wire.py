"""Raw connections of hostile clients: WebSocket frames and HTTP requests without a library."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

from benchmarks.robustness.attacks.attack import Target

__all__ = [
    "BINARY",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "at_once",
    "flood",
    "frame",
    "http_request",
    "persistently",
    "session",
    "swallow",
    "websocket",
]

CONTINUATION, TEXT, BINARY, PING, PONG = 0x0, 0x1, 0x2, 0x9, 0xA

_HOME = "127.0.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a WebSocket frame of a client, masked with zeros."""
    head = bytes([opcode | (0x80 if fin else 0)])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += b"\xfe" + struct.pack(">H", size)
    else:
        head += b"\xff" + struct.pack(">Q", size)
    return head + bytes(4) + payload


@contextlib.asynccontextmanager
async def websocket(
    target: Target, path: str, token: str | None, address: str = _HOME
) -> AsyncIterator[Streams]:
    """Open a WebSocket by hand, from an address; its connection is aborted at the end.

    Raises:
        ConnectionError: the server does not accept it.
    """
    reader, writer = await asyncio.open_connection(_HOME, target.port, local_addr=(address, 0))
    try:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{target.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *([f"Authorization: Bearer {token}"] if token else []),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("closed during the handshake") from error
        if b" 101 " not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(answer.partition(b"\r\n")[0].decode())
        yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def session(target: Target, address: str = _HOME, **start: object) -> AsyncIterator[Streams]:
    """Open a native session by hand, from an address."""
    async with websocket(target, "/v1/stream", target.token, address) as (reader, writer):
        writer.write(frame(TEXT, json.dumps({"type": "start", **start}).encode()))
        await reader.readexactly(2)
        yield reader, writer


@contextlib.asynccontextmanager
async def http_request(
    port: int, head: str, body: bytes, address: str = _HOME
) -> AsyncIterator[Streams]:
    """Send a request by hand, from an address; its connection is aborted at the end."""
    reader, writer = await asyncio.open_connection(_HOME, port, local_addr=(address, 0))
    try:
        writer.write(head.encode() + b"\r\n\r\n" + body)
        yield reader, writer
    finally:
        writer.transport.abort()


async def flood(streams: Streams, data: bytes, *, read: bool) -> None:
    """Send the same data endlessly, and read the answers or leave them unread."""
    reading = asyncio.create_task(swallow(streams)) if read else None
    try:
        while True:
            streams[1].write(data)
            await streams[1].drain()
            await asyncio.sleep(0)
    finally:
        if reading is not None:
            reading.cancel()


async def swallow(streams: Streams) -> None:
    """Read and discard until the connection is closed."""
    while await streams[0].read(1 << 16):
        pass


async def persistently(attempt: Callable[[], Awaitable[None]]) -> None:
    """Repeat an attempt endlessly; the server may reject it or drop its connection."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await attempt()
        await asyncio.sleep(0.05)


async def at_once(count: int, attempt: Callable[[], Awaitable[None]]) -> None:
    """Run an attempt many times at the same time, each of them again and again."""
    await asyncio.gather(*(persistently(attempt) for _ in range(count)))
