"""Requests to a running server: handshakes, rejections and plain HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from streamwhisper.client import StreamClient
from streamwhisper.events import Committed
from streamwhisper.server.app import Server


async def handshake(server: Server, path: str = "", **headers: str) -> str | None:
    """Open a WebSocket; the subprotocol that the server chose."""
    offered = headers.pop("Sec_WebSocket_Protocol", "")
    url = server.url.replace("0.0.0.0", "127.0.0.1") + path
    async with connect_async(
        url,
        proxy=None,
        subprotocols=[Subprotocol(one) for one in offered.split(", ")] if offered else None,
        additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
    ) as websocket:
        return websocket.subprotocol


async def refused(attempt: Awaitable[Any]) -> tuple[int, dict[str, str], Any]:
    """The status, the body and the headers with which somebody is refused."""
    with pytest.raises(InvalidStatus) as caught:
        await attempt
    response = caught.value.response
    return response.status_code, json.loads(bytes(response.body or b"")), response.headers


async def get(server: Server, path: str, *headers: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [f"GET {path} HTTP/1.1", *(headers or [f"Host: 127.0.0.1:{server.port}"]), "", ""]
    writer.write("\r\n".join(lines).encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.005)


async def transcript(stream: StreamClient, sound: bytes) -> str:
    await stream.send(sound)
    await stream.end()
    return "".join([event.text async for event in stream if isinstance(event, Committed)])
