"""Attacks with WebSocket frames that carry nothing: control frames, empty frames, fragments."""

from __future__ import annotations

from benchmarks.robustness.attacks.attack import Attack, Run, Target
from benchmarks.robustness.attacks.wire import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    at_once,
    flood,
    frame,
    session,
    websocket,
)

__all__ = ["ATTACKS"]

_NO_ROOM = "/v1/watch/no-such-room"
_BATCH = 5000  # frames that are sent at once


def _in_session(data: bytes, *, first: bytes = b"", read: bool = False, count: int = 1) -> Run:
    async def run(target: Target) -> None:
        async def attempt() -> None:
            async with session(target) as streams:
                streams[1].write(first)
                await flood(streams, data * _BATCH, read=read)

        await at_once(count, attempt)

    return run


def _as_viewer(data: bytes, *, first: bytes = b"", read: bool = False, count: int = 1) -> Run:
    async def run(target: Target) -> None:
        async def attempt() -> None:
            async with websocket(target, _NO_ROOM, None) as streams:
                streams[1].write(first)
                await flood(streams, data * _BATCH, read=read)

        await at_once(count, attempt)

    return run


_PING, _PONG = frame(PING, b"x" * 125), frame(PONG)
_BEGIN, _MORE = frame(BINARY, fin=False), frame(CONTINUATION, fin=False)

ATTACKS = (
    Attack("viewer: pings, never read", _as_viewer(_PING)),
    Attack("viewer: pings, answers read", _as_viewer(frame(PING), read=True)),
    Attack("viewer: empty pongs", _as_viewer(_PONG)),
    Attack("viewer: endless fragments", _as_viewer(_MORE, first=_BEGIN)),
    Attack("50 viewers: pings, answers read", _as_viewer(frame(PING), read=True, count=50)),
    Attack("session: pings, never read", _in_session(_PING)),
    Attack("session: pings, answers read", _in_session(frame(PING), read=True)),
    Attack("session: empty pongs", _in_session(_PONG)),
    Attack("session: empty binary frames", _in_session(frame(BINARY))),
    Attack("session: empty text frames", _in_session(frame(TEXT), read=True)),
    Attack("session: endless fragments", _in_session(_MORE, first=_BEGIN)),
    Attack("20 sessions: empty binary frames", _in_session(frame(BINARY), count=20)),
)
"""Attacks with control frames, empty frames and fragments."""
