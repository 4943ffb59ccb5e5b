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
    Attack("100 uploads of one byte", _uploads),
    Attack("10 clients: sessions cut again and again", _cut_sessions),
)
"""Attacks with many connections."""
