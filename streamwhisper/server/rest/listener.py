"""The HTTP server of the REST interfaces, on the event loop of the other one."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamwhisper.errors import RecognitionError
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.context import ServerContext
from streamwhisper.server.rest.app import rest_app
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.server.rest.service import Service
from streamwhisper.server.rest.transcriber import Transcriber
from streamwhisper.server.sessions.startup import LoadedModel
from streamwhisper.server.sockets import binding
from streamwhisper.server.websocket.http_endpoints import HttpEndpoints
from streamwhisper.transcription.recognizer import is_window_recognizer

__all__ = ["RestListener"]

log = logging.getLogger(__name__)

_GOODBYE = 5
"""Seconds in which the last answers go out when the server stops."""


class RestListener:
    """Takes recordings in beside a server of sessions, with its model, keys, limits and metrics.

    Attributes:
        port: that it listens on.
    """

    def __init__(
        self,
        context: ServerContext,
        rest: RestOptions,
        answers: HttpEndpoints,
    ) -> None:
        """Create a listener; `context` and `answers` belong to the WebSocket server."""
        self.port = rest.port
        self._options = options = context.options
        self._rest = rest
        self._service = Service(rest, context.startup, context.access, context.metrics)
        tls = options.tls
        config = uvicorn.Config(
            rest_app(self._service, answers, options.access.origins),
            http=_impatient(options.limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # `AccessPolicy` knows which proxies to believe
            server_header=False,
            date_header=False,
            headers=[("Server", "streamwhisper")],
            timeout_graceful_shutdown=_GOODBYE,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address or the port cannot be had.
        """
        host = self._options.host
        with binding(host, self.port):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, self.port), family=family)
        self.port = self._socket.getsockname()[1]
        # Not `serve`, which would take the signals for itself and wake ten times a second.
        await self._server.startup(sockets=[self._socket])
        scheme = "http" if self._options.tls is None else "https"
        log.info("recordings are taken in at %s://%s:%d/v1", scheme, host, self.port)

    def open(self, model: LoadedModel) -> None:
        """Accept recordings: the model is loaded.

        Raises:
            RecognitionError: the recognizer supports live audio only.
        """
        recognizer, scheduler = model.recognizer, model.scheduler
        if not is_window_recognizer(recognizer):
            raise RecognitionError(
                f"--rest-port needs a recognizer with transcribe_windows, but "
                f"{type(recognizer).__name__} supports live audio only; leave --rest-port out"
            )
        self._service.open(
            Transcriber(recognizer, lambda: scheduler.waiting > 0, self._rest.at_a_time)
        )

    async def stop(self, seconds: float) -> None:
        """Let requests that are under way finish for so long, then stop."""
        if cut_off := await self._service.drain(seconds):
            log.warning("cut off %d recordings that were not transcribed in time", cut_off)
        assert self._socket is not None
        await self._server.shutdown(sockets=[self._socket])
        self._service.close()


def _impatient(limits: Limits) -> type[H11Protocol]:
    """A protocol that drops who takes too long to ask, or to read what is answered."""

    class Impatient(H11Protocol):
        asking: asyncio.TimerHandle | None = None
        reading: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self.asking, self.reading):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.reading = self.loop.call_later(limits.send_timeout, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.reading is not None:
                self.reading.cancel()

        def _watch(self) -> None:
            """Time runs from the first byte of a request to the end of its headers."""
            if self.cycle is not None and not self.cycle.response_complete:
                if self.asking is not None:
                    self.asking.cancel()
                    self.asking = None
            elif self.asking is None:
                self.asking = self.loop.call_later(limits.handshake_timeout, self.transport.abort)

    return Impatient
