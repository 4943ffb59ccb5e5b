"""Sender of a WebSocket connection: text as fast as the client reads, then the close."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from streamwhisper.server.dialect import Close

__all__ = ["Leaving", "Sender", "Unread"]


class Unread(Exception):
    """The client has left its messages unread for too long."""


class Leaving(Exception):
    """The client is closing the connection, or broke the protocol, and reads no more."""


class Sender:
    """Sends to a client that may have stopped reading."""

    def __init__(self, websocket: ServerConnection, timeout: float) -> None:
        """Give the client so many seconds to read each frame."""
        self._websocket = websocket
        self._timeout = timeout

    async def send(self, text: str) -> None:
        """Send a text frame.

        Raises:
            Leaving: the client is closing the connection.
            Unread: the client does not read.
            ConnectionClosed: the connection is closed.
        """
        # To send would wait for the end of the connection, which is not noticed while received
        # frames are unread.
        if self._websocket.state is State.CLOSING:
            raise Leaving
        try:
            async with asyncio.timeout(self._timeout):
                await self._websocket.send(text)
        except TimeoutError:
            raise Unread from None

    async def close(self, close: Close) -> None:
        """Close the connection.

        Raises:
            Unread: the client does not read, not even the close.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._websocket.close(close.code, close.reason)
        except TimeoutError:
            raise Unread from None
