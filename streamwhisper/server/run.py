"""Runs a server until the process is asked to stop."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

from streamwhisper.recognition import Recognizer
from streamwhisper.server.app import Server
from streamwhisper.server.options import ServerOptions
from streamwhisper.server.sessions.startup import Loading
from streamwhisper.server.stop_signals import stop_signals

__all__ = ["run", "serve"]

log = logging.getLogger(__name__)


async def serve(
    recognizer: Recognizer | Loading,
    options: ServerOptions | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain every session (`Server.shut_down`), and return.

    A second signal ends the process at once.

    Args:
        recognizer: listens to all sessions. While it loads, the port is open already.
        options: where to listen, and what to grant.
        ready: told the URL of the stream once sessions are taken in.

    Raises:
        OSError: the address or the port cannot be had.
    """
    stop = asyncio.Event()
    with stop_signals(stop):
        present = None if isinstance(recognizer, Loading) else recognizer
        async with Server(present, options) as server:
            stopped = asyncio.create_task(stop.wait())
            if isinstance(recognizer, Loading):
                log.info("port %d is open; loading the model", server.port)
                loaded = recognizer.begin()
                either: set[asyncio.Future[Any]] = {loaded, stopped}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if loaded.done():
                    server.open(*loaded.result())
            if ready is not None and not stop.is_set():
                ready(server.url)
            await stopped
            log.info("shutting down")


def run(
    recognizer: Recognizer | Loading,
    options: ServerOptions | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """`serve` on an event loop of its own: uvloop's, but for Windows, which it does not know."""
    if sys.platform == "win32":
        new_event_loop = asyncio.new_event_loop
    else:
        from uvloop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(recognizer, options, ready=ready))
