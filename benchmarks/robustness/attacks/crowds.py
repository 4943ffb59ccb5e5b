"""Attacks with many connections: viewers, slow handshakes, slow uploads, cut sessions."""

from __future__ import annotations

import asyncio
import contextlib

from benchmarks.robustness.attacks.attack import Attack, Target
from benchmarks.robustness.attacks.wire import (
    BINARY,
    at_once,
    frame,
    http_request,
    session,
    swallow,
    websocket,
)

__all__ = ["ATTACKS"]


async def _viewers(target: Target) -> None:
    async def attempt() -> None:
        async with websocket(target, "/v1/watch/no-such-room", None) as streams:
            await swallow(streams)

    await at_once(1000, attempt)


async def _silent_connections(target: Target) -> None:
    async def attempt() -> None:
        async with http_request(target.port, "GET / HTTP/1.1", b"") as streams:
            await swallow(streams)

    await at_once(1000, attempt)


async def _endless_messages(target: Target) -> None:
    """Send all of a message of 1 MB but its last byte, as many viewers."""
    message = frame(BINARY, bytes(1_000_000))[:-1]

    async def attempt() -> None:
        async with websocket(target, "/v1/watch/no-such-room", None) as streams:
            streams[1].write(message)
            await swallow(streams)

    await at_once(400, attempt)


async def _large_headers(target: Target) -> None:
    """Send 1 MB of headers that do not end."""
    head = "GET / HTTP/1.1\r\n" + f"X: {'x' * 8000}\r\n" * 120

    async def attempt() -> None:
        async with http_request(target.port, head, b"X") as streams:
            await swallow(streams)

    await at_once(400, attempt)


def _upload(target: Target) -> str:
    return "\r\n".join(
        [
            "POST /v1/listen HTTP/1.1",
            f"Host: 127.0.0.1:{target.rest_port}",
            f"Authorization: Token {target.token}",
            "Content-Type: audio/wav",
            "Content-Length: 1000000",
        ]
    )


async def _uploads(target: Target) -> None:
    async def attempt() -> None:
        async with http_request(target.rest_port, _upload(target), b"R") as streams:
            await swallow(streams)

    await at_once(100, attempt)


async def _cut_sessions(target: Target) -> None:
    """Leave sessions behind, each with 25 s of noise in its window."""
    noise = bytes(range(256)) * 125 * 25

    async def attempt() -> None:
        async with session(target, continued=True) as streams:
            for start in range(0, len(noise), 32000):
                streams[1].write(frame(BINARY, noise[start : start + 32000]))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await swallow(streams)

    await at_once(10, attempt)


ATTACKS = (
    Attack("1,000 viewers, 1,024 open files", _viewers, open_files=1024),
    Attack("1,000 silent connections, 1,024 open files", _silent_connections, open_files=1024),
    Attack("400 viewers: messages of 1 MB that do not end", _endless_messages),
    Attack("400 connections: headers of 1 MB that do not end", _large_headers),
    Attack("100 uploads of one byte", _uploads),
    Attack("10 clients: sessions cut again and again", _cut_sessions),
)
"""Attacks with many connections."""
