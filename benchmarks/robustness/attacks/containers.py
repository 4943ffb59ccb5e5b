"""Attacks with audio: few bytes that claim much of it, or much memory."""

from __future__ import annotations

import asyncio

from benchmarks.robustness.attacks.attack import Attack, Run, Target
from benchmarks.robustness.attacks.wire import (
    BINARY,
    TEXT,
    at_once,
    flood,
    frame,
    http_request,
    persistently,
    session,
    swallow,
    websocket,
)
from benchmarks.robustness.bombs import flac_bomb, mp4_bomb

__all__ = ["ATTACKS"]

_END = frame(TEXT, b'{"type":"end"}')
_SILENCE = flac_bomb(400)  # 27 minutes in 5 KB
_SLOW = flac_bomb(2, rate=1) + bytes(5000)  # 36 hours


def _once(data: bytes, *, end: bool = True, count: int = 1) -> Run:
    """Send a container in one message, wait for the close, and begin again."""

    async def run(target: Target) -> None:
        async def attempt() -> None:
            async with session(target, encoding="container", continued=True) as streams:
                streams[1].write(frame(BINARY, data) + (_END if end else b""))
                await swallow(streams)

        await at_once(count, attempt)

    return run


async def _often(target: Target) -> None:
    async def attempt() -> None:
        async with session(target, encoding="container", continued=True) as streams:
            reading = asyncio.create_task(swallow(streams))
            while not reading.done():
                streams[1].write(frame(BINARY, _SILENCE))
                await streams[1].drain()
                await asyncio.sleep(0.2)

    await persistently(attempt)


async def _channels(target: Target) -> None:
    data = flac_bomb(100, channels=8, value=900)

    async def attempt() -> None:
        path = "/v1/listen?channels=8&multichannel=true"
        async with websocket(target, path, target.token) as streams:
            streams[1].write(frame(BINARY, data))
            await swallow(streams)

    await persistently(attempt)


async def _raw_silence(target: Target) -> None:
    """Send raw audio of the lowest rate, of which a byte is a quarter of a millisecond."""
    data = frame(BINARY, b"\xff" * 1_000_000)

    async def attempt() -> None:
        async with session(target, encoding="mulaw", sample_rate=4000, continued=True) as streams:
            await flood(streams, data, read=True)

    await at_once(12, attempt)


def _upload(data: bytes, count: int = 1) -> Run:
    async def run(target: Target) -> None:
        head = "\r\n".join(
            [
                "POST /v1/listen HTTP/1.1",
                f"Host: 127.0.0.1:{target.rest_port}",
                f"Authorization: Token {target.token}",
                "Content-Type: application/octet-stream",
                f"Content-Length: {len(data)}",
            ]
        )

        async def attempt() -> None:
            async with http_request(target.rest_port, head, data) as (reader, _):
                await reader.readline()

        await at_once(count, attempt)

    return run


ATTACKS = (
    Attack("container: FLAC of 1 Hz", _once(_SLOW)),
    Attack("container: FLAC of 10 Hz", _once(flac_bomb(400, rate=10))),
    Attack("container: 27 min of silence in 5 KB", _once(_SILENCE, end=False)),
    Attack("container: 27 min of silence, ended", _once(_SILENCE)),
    Attack("container: 27 min of silence every 0.2 s", _often),
    Attack("container: 8 channels of constant audio", _channels),
    Attack("container: MP4 with an index of 60 million entries", _once(mp4_bomb(60_000_000))),
    Attack("10 clients: 27 min of silence in 5 KB", _once(_SILENCE, end=False, count=10)),
    Attack("12 sessions: raw silence at full speed", _raw_silence),
    Attack("upload: FLAC of 1 Hz", _upload(_SLOW)),
    Attack("upload: 2 h of silence in 21 KB", _upload(flac_bomb(1760))),
    Attack("upload: MP4 with an index of 60 million entries", _upload(mp4_bomb(60_000_000))),
)
"""Attacks with containers."""
