"""The port of the Wyoming protocol, for Home Assistant and other voice assistants."""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import AsyncExitStack
from functools import partial

from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.context import ServerContext
from streamwhisper.server.dialects.wyoming.dialect import WyomingDialect
from streamwhisper.server.dialects.wyoming.events import encode_event
from streamwhisper.server.sockets import binding
from streamwhisper.server.wyoming.connection import WyomingConnection, close_socket
from streamwhisper.server.wyoming.discovery import announced
from streamwhisper.server.wyoming.options import WyomingOptions

__all__ = ["WyomingPort"]

log = logging.getLogger(__name__)


class WyomingPort:
    """Accepts and serves Wyoming connections.

    The protocol has no access tokens: every client that can reach the port may use it.

    Attributes:
        port: the port it listens on, once it is started.
    """

    def __init__(self, context: ServerContext, options: WyomingOptions) -> None:
        self._context = context
        self._options = options
        self._host = context.options.host
        self._stack = AsyncExitStack()  # the socket and the announcement
        self._tasks: set[asyncio.Task[None]] = set()  # one for each connection
        self.port = options.port

    @property
    def uri(self) -> str:
        """URI of the port."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"tcp://{host}:{self.port}"

    async def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: the address or the port is not available.
        """
        async with AsyncExitStack() as stack:
            with binding(self._host, self.port):
                server = await asyncio.start_server(self._accept, self._host, self.port)
            stack.callback(server.close)
            self.port = server.sockets[0].getsockname()[1]
            log.info("listening for Wyoming clients on %s", self.uri)
            if self._options.zeroconf:
                try:
                    await stack.enter_async_context(announced(self._host, self.port))
                except OSError as error:
                    log.warning("cannot announce Wyoming in the local network: %s", error)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Accept no more connections, and wait a limited time until clients have read."""
        await self._stack.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._context.options.limits.send_timeout)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = self._context
        try:
            await context.startup.wait()
            peer = writer.get_extra_info("peername") or [""]  # the client may have left already
            client = context.access.anonymous(str(peer[0]))
            context.access.check_slots(client)
            dialect = WyomingDialect(
                context.startup.info,
                context.options.session,
                context.options.limits,
                _new_name,
                partial(context.admission.open_session, client),
                context.metrics.count_error,
                endpointing=self._options.endpointing,
            )
        except HandshakeRejected as rejection:
            context.metrics.sessions_refused.inc()
            context.metrics.count_error(rejection.code)
            error = encode_event("error", {"text": rejection.message, "code": rejection.code})
            if not writer.is_closing():
                writer.write(error.encode())
        else:
            connection = WyomingConnection(context, client, reader, writer, dialect)
            context.metrics.connections.labels("wyoming").inc()
            with context.connections.hold(client, connection):
                await connection.run()
        await close_socket(reader, writer)


def _new_name() -> str:
    return uuid.uuid4().hex[:12]
