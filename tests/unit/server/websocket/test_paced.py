"""A client's frames arrive whole and in order, but no faster than their budget allows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from benchmarks.robustness.attacks.wire import BINARY, PING, PONG, frame
from streamwhisper.server.websocket.paced import FrameBudget, PacedConnection

FREE = FrameBudget(1e6, 1e6)


class Side:
    """The server's side of one connection: it collects messages."""

    def __init__(self, budget: FrameBudget) -> None:
        self.budget = budget
        self.messages: list[str | bytes] = []
        self.connection: PacedConnection | None = None
        self.over = asyncio.Event()

    async def talk(self, websocket: ServerConnection) -> None:
        assert isinstance(websocket, PacedConnection)
        websocket.limit_frames(self.budget)
        self.connection = websocket
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.messages.append(await websocket.recv())
        self.over.set()


@contextlib.asynccontextmanager
async def connected(budget: FrameBudget = FREE) -> AsyncIterator[tuple[ClientConnection, Side]]:
    side = Side(budget)
    options = {"ping_interval": None, "compression": None}
    async with serve_websockets(
        side.talk, "127.0.0.1", 0, create_connection=PacedConnection, max_queue=1, **options
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect_async(f"ws://127.0.0.1:{port}", proxy=None, **options) as client:
            yield client, side
            client.transport.abort()


async def until(condition: object, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_messages_of_every_size_arrive_whole_and_in_order() -> None:
    sizes = [0, 1, 125, 126, 255, 256, 257, 70_000, 900_000, 3] * 3
    async with connected() as (client, side):
        for number, size in enumerate(sizes):
            await client.send(bytes([number]) * size)
        await client.send([b"a", b"", b"b"])
        await client.close()
        await side.over.wait()
    assert side.messages == [bytes([n]) * size for n, size in enumerate(sizes)] + [b"ab"]


async def test_what_comes_right_before_the_end_of_the_stream_is_received() -> None:
    async with connected() as (client, side):
        client.transport.write(frame(BINARY, b"last") * 100)
        client.transport.write_eof()
        await side.over.wait()
    assert side.messages == [b"last"] * 100


@pytest.mark.parametrize("data", [frame(BINARY), frame(PING), frame(PONG)])
async def test_frames_beyond_the_burst_are_read_at_the_budgets_rate(data: bytes) -> None:
    async with connected(FrameBudget(200, 50)) as (client, side):
        began = time.monotonic()
        client.transport.write(data * 149 + frame(BINARY, b"over"))
        await until(lambda: b"over" in side.messages)
        assert 0.2 < time.monotonic() - began < 3


async def test_the_answers_of_a_client_that_does_not_read_stay_few() -> None:
    async with connected() as (client, side):
        client.transport.pause_reading()
        client.transport.write(frame(PING, b"x" * 125) * 200_000)
        await asyncio.sleep(0.5)
        assert side.connection is not None
        assert side.connection.transport.get_write_buffer_size() < 100_000
        assert client.transport.get_write_buffer_size() > 1_000_000  # the server does not read


async def test_a_ping_among_the_frames_of_a_flood_is_answered() -> None:
    async with connected(FrameBudget(500, 100)) as (client, _):
        client.transport.write(frame(BINARY) * 200)
        async with asyncio.timeout(5):
            await (await client.ping())


async def test_a_connection_that_exceeds_a_strict_budget_is_closed() -> None:
    async with connected(FrameBudget(10, 20, strict=True)) as (client, side):
        client.transport.write(frame(PONG) * 1000)
        await asyncio.wait_for(client.wait_closed(), 5)
        assert (client.close_code, client.close_reason) == (1008, "too_many_frames")
        await side.over.wait()


async def test_a_handshake_that_is_too_long_is_cut_off() -> None:
    async with connected() as (client, _):
        host, port = client.remote_address
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 8000 + b"\r\n")
        writer.write((b"Y: " + b"x" * 8000 + b"\r\n") * 10)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_message_beyond_the_budgets_size_closes_the_connection() -> None:
    async with connected(FrameBudget(10, 20, max_message_bytes=100)) as (client, side):
        client.transport.write(frame(BINARY, bytes(101))[:50])
        await asyncio.wait_for(client.wait_closed(), 5)
        assert client.close_code == 1009
        assert side.messages == []


async def test_a_strict_budget_leaves_a_slow_client_alone() -> None:
    async with connected(FrameBudget(100, 5, strict=True)) as (client, _):
        for _ in range(15):
            async with asyncio.timeout(5):
                await (await client.ping())
            await asyncio.sleep(0.02)


async def test_other_connections_have_their_turn_while_a_flood_is_read() -> None:
    async with connected() as (client, side):
        client.transport.write(frame(BINARY) * 40_000)
        turns = 0
        while len(side.messages) < 20_000:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 100
