"""Shared state of all REST requests: authentication, slots, the model and shutdown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NoReturn

from starlette.requests import Request
from websockets.datastructures import Headers
from websockets.http11 import Request as Handshake

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.policy import AccessPolicy, Client, network_of
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.server.rest.transcriber import Transcriber
from streamwhisper.server.sessions.startup import Startup

__all__ = ["Service", "handshake_of", "peer_of"]


class Service:
    """REST side of one server.

    Attributes:
        options: limits of requests.
        metrics: metrics of the server.
    """

    def __init__(
        self, options: RestOptions, startup: Startup, access: AccessPolicy, metrics: Metrics
    ) -> None:
        self.options = options
        self.metrics = metrics
        self._startup = startup
        self._access = access
        self._transcriber: Transcriber | None = None
        self._empty = asyncio.Event()  # no request is under way
        self._empty.set()
        self._under_way = 0
        self._cut = asyncio.Event()
        self._uploads: Counter[str] = Counter()  # under way, by network

    def open(self, transcriber: Transcriber) -> None:
        """Accept recordings: the model is loaded."""
        self._transcriber = transcriber
        self.metrics.follow(
            "recordings",
            "Recordings that are being transcribed or queued.",
            lambda: transcriber.recordings,
        )

    @property
    def transcriber(self) -> Transcriber:
        """Transcriber of the model.

        Raises:
            HandshakeRejected: the model is not loaded yet.
        """
        _ = self.info
        assert self._transcriber is not None
        return self._transcriber

    @property
    def info(self) -> ModelInfo:
        """Description of the served model.

        Raises:
            HandshakeRejected: the model is not loaded yet.
        """
        return self._startup.info

    async def wait(self) -> None:
        """Wait for the model for a limited time.

        Raises:
            HandshakeRejected: the model is not loaded in time.
        """
        await self._startup.wait()

    def authenticate(self, request: Request, *, lasting: bool = False) -> Client:
        """Return the client of a request; `lasting` rejects short-lived tokens.

        Raises:
            HandshakeRejected: the access token or the web origin is not accepted.
        """
        handshake = handshake_of(request)
        self._access.check_source(handshake)
        return self._access.authenticate(handshake, peer_of(request), lasting=lasting)

    def issue(
        self, client: Client, seconds: float, settings: Mapping[str, Any] | None = None
    ) -> tuple[str, int]:
        """Return a short-lived token for a client; see `AccessPolicy.issue`."""
        return self._access.issue(client, seconds, settings)

    def address(self, request: Request) -> str:
        """Return the IP address of a request's client."""
        return self._access.address(handshake_of(request), peer_of(request))

    async def admit(self, client: Client) -> Transcriber:
        """Wait for the model for a limited time, and check that a slot is free.

        Raises:
            HandshakeRejected: no slot is free, the model is not loaded, or the server stops.
        """
        self._access.check_running()
        await self.wait()
        self._access.check_slots(client)
        self._access.redeem(client)
        return self.transcriber

    @contextmanager
    def hold_slot(self, client: Client) -> Iterator[None]:
        """Hold a session's slot while a request is running."""
        self._under_way += 1
        self._empty.clear()
        try:
            with self._access.hold_slots(client):
                yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._empty.set()

    @contextmanager
    def count_upload(self, client: Client) -> Iterator[None]:
        """Count an upload of a client while the body runs.

        Raises:
            HandshakeRejected: too many uploads of the client's address are under way.
        """
        network, most = network_of(client.address), self.options.max_uploads_per_address
        if self._uploads[network] >= most:
            raise HandshakeRejected(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_uploads",
                f"{most} uploads of this address are under way, the maximum; try again when one "
                "of them is complete",
            )
        self._uploads[network] += 1
        try:
            yield
        finally:
            self._uploads[network] -= 1
            if not self._uploads[network]:
                del self._uploads[network]

    def max_seconds(self, client: Client) -> float:
        """Return the maximum duration of a client's recordings in seconds."""
        quota = client.quota.session_seconds
        return min(self.options.max_seconds, float("inf") if quota is None else quota)

    async def stopped(self) -> NoReturn:
        """Wait until the time for running requests is over at shutdown.

        Raises:
            HandshakeRejected: the server is shutting down; always.
        """
        await self._cut.wait()
        raise _cut_off()

    async def drain(self, seconds: float) -> int:
        """Wait for running requests for `seconds`; return the number of cancelled ones."""
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
        """Stop the transcriber."""
        if self._transcriber is not None:
            self._transcriber.close()


def _cut_off() -> HandshakeRejected:
    return HandshakeRejected(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "shutting_down",
        "the server is shutting down; send the request to another server, or later",
    )


def handshake_of(request: Request) -> Handshake:
    """Return a request as the access policy of the WebSocket server expects it."""
    query = request.url.query
    path = request.url.path + (f"?{query}" if query else "")
    return Handshake(path, Headers(request.headers.items()))


def peer_of(request: Request) -> str:
    """Return the address of the peer."""
    return request.client.host if request.client is not None else ""
