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

_GRACE = 10.0  # seconds before a slow upload is rejected
_MIN_RATE = 1024.0  # bytes per second that an upload must have on average after that

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
        self._began = asyncio.get_running_loop().time()
        self._deadline = self._began + options.upload_timeout
        self._size = 0
        self._whole = False

    async def receive(self) -> Message:
        """Return the next message, for Starlette.

        Raises:
            HandshakeRejected: the body is too large or too slow, or the upload timeout has passed.
        """
        too_slow = self._began + _GRACE + self._size / _MIN_RATE
        if self._declared.isdecimal() and int(self._declared) > self._most:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(min(self._deadline, too_slow)):
                message = await self._next()
        except TimeoutError:
            slow = too_slow < self._deadline
            raise (self._too_slow() if slow else self._too_late()) from None
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

    def _too_slow(self) -> HandshakeRejected:
        return HandshakeRejected(
            HTTPStatus.REQUEST_TIMEOUT,
            "upload_too_slow",
            f"received {self._size} bytes in {_GRACE + self._size / _MIN_RATE:.0f} s; expected "
            f"{_MIN_RATE:.0f} bytes per second or more after the first {_GRACE:g} s",
        )

    def _too_late(self) -> HandshakeRejected:
        return HandshakeRejected(
            HTTPStatus.REQUEST_TIMEOUT,
            "upload_timeout",
            f"the request was not complete within {self._seconds:g} s; send it faster, or "
            "in a smaller encoding, e.g. Opus or MP3",
        )

    def _too_large(self) -> HandshakeRejected:
        return HandshakeRejected(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "upload_too_large",
            f"the request has more than {self._most} bytes, the maximum; send the "
            "audio in a smaller encoding, e.g. Opus or MP3, or in several recordings",
        )
