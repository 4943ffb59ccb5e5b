"""The port at which Wyoming is spoken, for Home Assistant and other voice assistants."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from streamwhisper.live.scheduler import Scheduler
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.policy import AccessPolicy, Client
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialects.wyoming.dialect import WyomingDialect
from streamwhisper.server.dialects.wyoming.events import encode_event
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.sessions.admission import Admission
from streamwhisper.server.sessions.startup import Startup
from streamwhisper.server.sockets import binding
from streamwhisper.server.wyoming.connection import WyomingConnection, leave
from streamwhisper.server.wyoming.discovery import announced
from streamwhisper.session.options import SessionOptions

__all__ = ["ActiveConnection", "WyomingOptions", "WyomingPort"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WyomingOptions:
    """Whether and how Wyoming is spoken.

    Attributes:
        port: 0 takes a free one; 10300 is where others look first.
        endpointing: whether the server says when a command is over, by what was said, as opposed
            to its client.
        zeroconf: whether the local network is told.
    """

    port: int = 10300
    endpointing: bool = False
    zeroconf: bool = False


class ActiveConnection(Protocol):
    """A connection, as its server knows it."""

    @property
    def lag(self) -> float:
        """Seconds of sound that are received and not recognized yet."""
        ...

    def shut_down(self) -> None:
        """The server stops: hear what the client has sent, commit everything, and close."""
        ...

    def cut_off(self) -> None:
        """The server can wait no longer: close now."""
        ...


class WyomingPort:
    """Takes connections in, and drives them.

    The protocol has no keys: who can reach the port may use it.
    """

    def __init__(
        self,
        options: WyomingOptions,
        host: str,
        session: SessionOptions,
        limits: Limits,
        opening: Startup,
        access: AccessPolicy,
        metrics: Metrics,
        place: Callable[[Client, ActiveConnection], AbstractContextManager[None]],
    ) -> None:
        """Belong to a server.

        Args:
            place: holds a place for a connection while its body runs.
        """
        self._options = options
        self._host = host
        self._session = session
        self._limits = limits
        self._opening = opening
        self._access = access
        self._metrics = metrics
        self._place = place
        self._stack = AsyncExitStack()  # what is to be let go of
        self._tasks: set[asyncio.Task[None]] = set()  # one for each connection
        self._reception: Admission  # from `open` on, as is the scheduler
        self._scheduler: Scheduler
        self.port = options.port

    @property
    def uri(self) -> str:
        """Where it is."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"tcp://{host}:{self.port}"

    def open(self, reception: Admission, scheduler: Scheduler) -> None:
        """The model is there."""
        self._reception, self._scheduler = reception, scheduler

    async def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: the address or the port cannot be had.
        """
        async with AsyncExitStack() as stack:
            with binding(self._host, self.port):
                server = await asyncio.start_server(self._take_in, self._host, self.port)
            stack.callback(server.close)
            self.port = server.sockets[0].getsockname()[1]
            log.info("Wyoming is spoken at %s", self.uri)
            if self._options.zeroconf:
                try:
                    await stack.enter_async_context(announced(self._host, self.port))
                except OSError as error:
                    log.warning("the local network cannot be told of it: %s", error)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Take nobody in any more, and let clients read what they were sent, within bounds."""
        await self._stack.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.send_timeout)

    def _take_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._opening.wait()
            peer = writer.get_extra_info("peername") or [""]  # it may be gone by now
            visitor = self._access.anonymous(str(peer[0]))
            self._access.check_slots(visitor)
            dialect = WyomingDialect(
                self._opening.info,
                self._session,
                self._limits,
                _new_name,
                partial(self._reception.open_session, visitor),
                self._metrics.count_error,
                endpointing=self._options.endpointing,
            )
        except HandshakeRejected as refusal:
            self._metrics.sessions_refused.inc()
            self._metrics.count_error(refusal.code)
            error = encode_event("error", {"text": refusal.message, "code": refusal.code})
            if not writer.is_closing():
                writer.write(error.encode())
        else:
            connection = WyomingConnection(
                reader,
                writer,
                dialect,
                self._scheduler,
                self._limits,
                self._metrics,
                visitor=visitor,
            )
            self._metrics.connections.labels("wyoming").inc()
            with self._place(visitor, connection):
                await connection.run()
        await leave(reader, writer)


def _new_name() -> str:
    return uuid.uuid4().hex[:12]
