"""Waiting times of a new client with an access token, connecting from another address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.robustness.attacks import Target
from benchmarks.robustness.attacks.wire import http_request, session

__all__ = ["newcomer"]

_PATIENCE = 5.0  # seconds after which the newcomer gives up
_ADDRESS = "127.0.0.2"
_NOT_AUDIO = b"not audio"


async def newcomer(target: Target) -> dict[str, int | None]:
    """Return the milliseconds until the server answers each kind of newcomer; None: it does not.

    The upload is no audio, so an admitted one is answered with status 400.
    """
    host = f"Host: 127.0.0.1:{target.port}"
    upload = "\r\n".join(
        [
            "POST /v1/listen HTTP/1.1",
            f"Host: 127.0.0.1:{target.rest_port}",
            f"Authorization: Token {target.token}",
            f"Content-Length: {len(_NOT_AUDIO)}",
        ]
    )

    async def open_session() -> bool:
        async with session(target, _ADDRESS):
            return True

    async def healthy() -> bool:
        return await _status(target.port, f"GET /healthz HTTP/1.1\r\n{host}", b"") == 200

    async def uploaded() -> bool:
        return await _status(target.rest_port, upload, _NOT_AUDIO) == 400

    return {
        "session_ms": await _milliseconds(open_session),
        "health_ms": await _milliseconds(healthy),
        "upload_ms": await _milliseconds(uploaded),
    }


async def _status(port: int, head: str, body: bytes) -> int:
    async with http_request(port, head, body, _ADDRESS) as (reader, _):
        return int((await reader.readline()).split()[1])


async def _milliseconds(attempt: Callable[[], Awaitable[bool]]) -> int | None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE):
            succeeded = await attempt()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, IndexError):
        return None
    return round(1000 * (time.perf_counter() - began)) if succeeded else None
