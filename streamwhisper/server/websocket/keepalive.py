"""Keepalive: detects clients that are gone without closing the connection.

The WebSocket library would count every late pong, also one that waits behind audio which the server
does not read yet. Here only the time counts for which the server waits for the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection

__all__ = ["keep_alive"]


async def keep_alive(
    websocket: ServerConnection,
    waiting_since: Callable[[], float | None],
    *,
    interval: float = 10.0,
    patience: float = 20.0,
) -> None:
    """Ping the client until it does not answer; then drop the connection, and return.

    Args:
        websocket: the connection.
        waiting_since: returns when the reader began to wait for the client, by the event loop's
            clock; None: it does not wait.
        interval: seconds between two pings.
        patience: seconds without an answer after which the client is considered gone.

    Raises:
        ConnectionClosed: the connection was closed otherwise.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        pong = asyncio.ensure_future(await websocket.ping())
        pinged = loop.time()
        while not pong.done():
            await asyncio.wait({pong}, timeout=patience / 4)
            since = waiting_since()
            if not pong.done() and since and loop.time() - max(since, pinged) >= patience:
                websocket.transport.abort()
                return
        await pong
