"""Body of a request, received within limits of size and time."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.rest.options import RestOptions

__all__ = ["Body"]

_LINGER = 2.0
"""Seconds in which the rest of a rejected upload is read; the client reads the answer after it."""


class Body:
    """Receiver of a request's body; it also detects that the client has disconnected."""

    def __init__(self, request: Request, options: RestOptions) -> None:
        """Create a receiver; the upload timeout begins."""
        self._receive = request.receive
        self._declared = request.headers.get("Content-Length", "")
        self._most = options.max_upload_bytes
        self._seconds = options.upload_timeout
        self._deadline = asyncio.get_running_loop().time() + options.upload_timeout
        self._size = 0
        self._whole = False

    async def receive(self) -> Message:
        """Return the next message, for Starlette.

        Raises:
            HandshakeRejected: the body is too large, or the upload timeout has passed.
        """
        if self._declared.isdecimal() and int(self._declared) > self._most:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._next()
        except TimeoutError:
            raise HandshakeRejected(
                HTTPStatus.REQUEST_TIMEOUT,
                "upload_timeout",
                f"the request was not complete within {self._seconds:g} s; send it faster, or "
                "in a smaller encoding, e.g. Opus or MP3",
            ) from None
        if self._size > self._most:
            raise self._too_large()
        return message

    async def discard(self) -> None:
        """Read the rest of the body for a short time, so that the client reads the answer."""
        until = min(self._deadline, asyncio.get_running_loop().time() + _LINGER)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while not self._whole:
                    await self._next()

    async def left(self) -> NoReturn:
        """Wait until the client disconnects; call it after the body was read.

        Raises:
            ClientDisconnect: the client has disconnected; always.
        """
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnect

    async def _next(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        # A disconnect ends the body, too.
        self._whole = not message.get("more_body", False)
        return message

    def _too_large(self) -> HandshakeRejected:
        return HandshakeRejected(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "upload_too_large",
            f"the request has more than {self._most} bytes, the maximum; send the "
            "audio in a smaller encoding, e.g. Opus or MP3, or in several recordings",
        )
