"""HTTP server of the REST interfaces, on the event loop of the WebSocket server."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamwhisper.errors import RecognitionError
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.open_files import Newcomers
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

_BACKLOG = 32
"""Connections accepted at once; the system lets others wait a second."""

_GOODBYE = 5
"""Seconds in which the last answers are sent at shutdown."""


class RestListener:
    """HTTP listener that shares the model, keys, limits and metrics of a WebSocket server.

    Attributes:
        port: port of the listener.
    """

    def __init__(
        self,
        context: ServerContext,
        rest: RestOptions,
        endpoints: HttpEndpoints,
    ) -> None:
        """Create a listener; `context` and `endpoints` belong to the WebSocket server."""
        self.port = rest.port
        self._options = options = context.options
        self._rest = rest
        self._service = Service(rest, context.startup, context.access, context.metrics)
        config = uvicorn.Config(
            rest_app(self._service, endpoints, options.access.origins),
            http=_with_timeouts(options.limits, context.new_connections()),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # `AccessPolicy` knows the trusted proxies
            server_header=False,
            date_header=False,
            headers=[("Server", "streamwhisper")],
            timeout_graceful_shutdown=_GOODBYE,
            backlog=_BACKLOG,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address or the port is not available.
        """
        host = self._options.host
        with binding(host, self.port):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, self.port), family=family)
        self.port = self._socket.getsockname()[1]
        # Not `serve`: it installs signal handlers and polls ten times a second. Not `startup`
        # alone: it would wait a minute for the TLS handshake of each connection.
        await self._server.startup(sockets=[])
        config, tls = self._server.config, self._options.tls
        listening = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(  # type: ignore[call-arg]
                config=config,
                server_state=self._server.server_state,
                app_state=self._server.lifespan.state,
            ),
            sock=self._socket,
            backlog=config.backlog,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self._options.limits.handshake_timeout,
        )
        self._server.servers.append(listening)
        scheme = "http" if self._options.tls is None else "https"
        log.info("accepting recordings at %s://%s:%d/v1", scheme, host, self.port)

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
        """Let running requests finish for `seconds`, then stop."""
        if cut_off := await self._service.drain(seconds):
            log.warning("cancelled %d recordings that were not complete in time", cut_off)
        assert self._socket is not None
        await self._server.shutdown(sockets=[self._socket])
        self._service.close()


def _with_timeouts(limits: Limits, newcomers: Newcomers) -> type[H11Protocol]:
    """Return a protocol that drops clients that are too slow to send a request or to read.

    A connection without a request under way is one of `newcomers`.
    """

    class TimeoutProtocol(H11Protocol):
        request_timer: asyncio.TimerHandle | None = None
        write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self.request_timer, self.write_timer):
                if timer is not None:
                    timer.cancel()
            newcomers.remove(self.transport)
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.write_timer = self.loop.call_later(limits.send_timeout, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.write_timer is not None:
                self.write_timer.cancel()

        def _watch(self) -> None:
            """Limit the time from the first byte of a request to the end of its headers."""
            if self.cycle is not None and not self.cycle.response_complete:
                newcomers.remove(self.transport)
                if self.request_timer is not None:
                    self.request_timer.cancel()
                    self.request_timer = None
            elif self.request_timer is None:
                newcomers.add(self.transport)
                self.request_timer = self.loop.call_later(
                    limits.handshake_timeout, self.transport.abort
                )

    return TimeoutProtocol
