"""What all requests of one REST server share: who may come in, and who transcribes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import NoReturn

from starlette.requests import Request
from websockets.datastructures import Headers
from websockets.http11 import Request as Handshake

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.policy import AccessPolicy, Client
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.server.rest.transcriber import Transcriber
from streamwhisper.server.sessions.startup import Startup

__all__ = ["Service", "handshake_of", "peer_of"]


class Service:
    """One server's REST side.

    Attributes:
        options: how much is taken in.
        metrics: told of every request.
    """

    def __init__(
        self, options: RestOptions, opening: Startup, access: AccessPolicy, metrics: Metrics
    ) -> None:
        self.options = options
        self.metrics = metrics
        self._opening = opening
        self._access = access
        self._transcriber: Transcriber | None = None
        self._empty = asyncio.Event()  # no request is under way
        self._empty.set()
        self._under_way = 0
        self._cut = asyncio.Event()

    def open(self, transcriber: Transcriber) -> None:
        """The model is there."""
        self._transcriber = transcriber
        self.metrics.follow(
            "recordings",
            "Recordings that are transcribed, or wait for it.",
            lambda: transcriber.recordings,
        )

    @property
    def transcriber(self) -> Transcriber:
        """What transcribes.

        Raises:
            Refusal: the model is not loaded yet.
        """
        _ = self.info
        assert self._transcriber is not None
        return self._transcriber

    @property
    def info(self) -> ModelInfo:
        """The model that is served.

        Raises:
            Refusal: it is not loaded yet.
        """
        return self._opening.info

    async def wait(self) -> None:
        """Wait for the model, within bounds."""
        await self._opening.wait()

    def visitor(self, request: Request) -> Client:
        """Who asks.

        Raises:
            Refusal: they have no key, or are a web page of others.
        """
        handshake = handshake_of(request)
        self._access.check_source(handshake)
        return self._access.authenticate(handshake, peer_of(request))

    def address(self, request: Request) -> str:
        """Where a request comes from."""
        return self._access.address(handshake_of(request), peer_of(request))

    async def admit(self, visitor: Client) -> Transcriber:
        """Wait for the model within bounds, and see whether there is a place.

        Raises:
            Refusal: there is none, or the model is not there, or the server stops.
        """
        self._access.check_running()
        await self.wait()
        self._access.check_slots(visitor)
        return self.transcriber

    @contextmanager
    def place(self, visitor: Client) -> Iterator[None]:
        """Holds a session's place while a request is under way."""
        self._under_way += 1
        self._empty.clear()
        try:
            with self._access.hold_slots(visitor):
                yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._empty.set()

    def longest(self, visitor: Client) -> float:
        """Seconds that a recording of theirs may last."""
        granted = visitor.quota.session_seconds
        return min(self.options.max_seconds, float("inf") if granted is None else granted)

    async def stopped(self) -> NoReturn:
        """Wait until the server stops and can wait for requests no longer.

        Raises:
            Refusal: always, then.
        """
        await self._cut.wait()
        raise _cut_off()

    async def drain(self, seconds: float) -> int:
        """Let requests that are under way finish; how many were cut off."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            cut_off = self._under_way
            self._cut.set()
            if self._transcriber is not None:
                self._transcriber.cut_off(_cut_off())
            await self._empty.wait()
            return cut_off
        return 0

    def close(self) -> None:
        """Transcribe no more."""
        if self._transcriber is not None:
            self._transcriber.close()


def _cut_off() -> HandshakeRejected:
    return HandshakeRejected(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "shutting_down",
        "the server is shutting down and could not finish in time; send the request to another "
        "one, or later",
    )


def handshake_of(request: Request) -> Handshake:
    """A request as those who guard the WebSockets know it."""
    query = request.url.query
    path = request.url.path + (f"?{query}" if query else "")
    return Handshake(path, Headers(request.headers.items()))


def peer_of(request: Request) -> str:
    """The address at the other end."""
    return request.client.host if request.client is not None else ""
