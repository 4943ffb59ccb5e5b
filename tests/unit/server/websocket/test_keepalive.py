"""Clients that are gone without a word are found out; clients that are held back are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from streamwhisper.server.websocket.keepalive import keep_alive

Since = Callable[[], float | None]


@contextlib.asynccontextmanager
async def kept(since: Since) -> AsyncIterator[tuple[ClientConnection, asyncio.Event]]:
    """A client, and an event for when the server gives it up."""
    gone = asyncio.Event()

    async def talk(websocket: ServerConnection) -> None:
        await keep_alive(websocket, since, interval=0.02, patience=0.2)
        gone.set()

    async with serve_websockets(talk, "127.0.0.1", 0, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect_async(f"ws://127.0.0.1:{port}", ping_interval=None) as client:
            yield client, gone
            client.transport.abort()


async def happens(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def silenced(client: ClientConnection) -> Any:
    """The client reads nothing, so it answers no ping."""
    client.transport.pause_reading()
    return client


async def test_a_client_that_answers_is_kept() -> None:
    async with kept(lambda: 1e-9) as (_, gone):
        assert not await happens(gone, 0.6)


async def test_a_client_that_answers_nothing_while_it_is_waited_for_is_dropped() -> None:
    async with kept(lambda: 1e-9) as (client, gone):
        silenced(client)
        assert await happens(gone, 5)


async def test_a_client_whose_answers_may_lie_unread_is_kept() -> None:
    async with kept(lambda: None) as (client, gone):
        silenced(client)
        assert not await happens(gone, 0.6)


async def test_only_the_time_counts_in_which_the_client_is_waited_for() -> None:
    waiting: list[float] = []
    async with kept(lambda: waiting[0] if waiting else None) as (client, gone):
        silenced(client)
        assert not await happens(gone, 0.4)
        loop = asyncio.get_running_loop()
        waiting.append(loop.time())
        assert await happens(gone, 5)
        assert loop.time() - waiting[0] >= 0.2
