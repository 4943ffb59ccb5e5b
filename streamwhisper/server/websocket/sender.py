"""The way out of a WebSocket connection: text at the pace that the client reads, then a close."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from streamwhisper.server.dialect import Close

__all__ = ["Leaving", "Sender", "Unread"]


class Unread(Exception):
    """The client has left what was sent to it unread for too long."""


class Leaving(Exception):
    """The client has said that it leaves, or broke the protocol, and reads no more."""


class Sender:
    """Sends to a client that may not read."""

    def __init__(self, websocket: ServerConnection, timeout: float) -> None:
        """Be patient for so many seconds with each frame."""
        self._websocket = websocket
        self._timeout = timeout

    async def send(self, text: str) -> None:
        """Send a text frame.

        Raises:
            Leaving, Unread: as they say.
            ConnectionClosed: it is.
        """
        # To send would be to wait for the end of the connection, and while frames wait to be
        # read, that is not noticed.
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
            Unread: the client reads nothing, the close not either.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._websocket.close(close.code, close.reason)
        except TimeoutError:
            raise Unread from None
