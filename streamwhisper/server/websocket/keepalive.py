"""Finding out that a client is gone without having said so.

The WebSocket library would count every pong that is late, also one that lies unread behind sound
because the server holds back. Here only the time counts in which the server waits for the client.
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
    interval: float = 20.0,
    patience: float = 20.0,
) -> None:
    """Ping the client until it does not answer; then drop the connection, and return.

    Args:
        waiting_since: when the reader began to wait for the client, by the event loop's clock;
            None while it does not.
        interval: seconds between two pings.
        patience: seconds of waiting in vain after which the client is gone.

    Raises:
        ConnectionClosed: it was closed otherwise.
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
