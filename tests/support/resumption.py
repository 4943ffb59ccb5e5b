"""Sessions started and resumed by hand, over a plain WebSocket."""

from __future__ import annotations

from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async

from streamwhisper.protocol import (
    Ready,
    ServerMessage,
    Start,
    encode_client_message,
    parse_server_message,
)
from streamwhisper.server.app import Server


def connecting(server: Server) -> Any:
    return connect_async(server.url, proxy=None, compression=None, max_queue=None)


async def receive(websocket: ClientConnection) -> tuple[int, ServerMessage]:
    return parse_server_message(await websocket.recv(decode=True))


async def start(server: Server, **fields: Any) -> tuple[ClientConnection, int, Ready]:
    """A connection whose session has started or was resumed, and what its `ready` says."""
    websocket = await connecting(server)
    await websocket.send(encode_client_message(Start(**fields)))
    seq, ready = await receive(websocket)
    assert isinstance(ready, Ready), ready
    return websocket, seq, ready
