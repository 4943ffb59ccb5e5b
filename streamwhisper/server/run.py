"""Run a server until the process receives a stop signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from streamwhisper.audio.ffmpeg import limit_allocations
from streamwhisper.recognition import Recognizer
from streamwhisper.server.access.open_files import open_files, raise_open_files
from streamwhisper.server.app import Server
from streamwhisper.server.options import ServerOptions
from streamwhisper.server.sessions.startup import Loading

__all__ = ["run", "serve", "stop_signals"]

log = logging.getLogger(__name__)

_MAX_ALLOCATION = 64 * 1024 * 1024
"""Bytes that the decoder of a container may allocate at once; an index of 16 h needs as many."""


@contextlib.contextmanager
def stop_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at the first SIGTERM or SIGINT; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)

    def on_signal() -> None:
        for number in handled:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    before = {number: signal.getsignal(number) for number in handled}
    for number in handled:
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
    try:
        yield
    finally:
        for number in handled:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, before[number] or signal.SIG_DFL)


async def serve(
    recognizer: Recognizer | Loading,
    options: ServerOptions | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain all sessions (`Server.shut_down`) and return.

    A second signal ends the process at once.

    Args:
        recognizer: serves all sessions. While it loads, the port is open already.
        options: address, access, limits and features of the server.
        ready: called with the URL of the native protocol once sessions are accepted.

    Raises:
        OSError: the address or the port is not available.
    """
    stop = asyncio.Event()
    with stop_signals(stop):
        loaded = None if isinstance(recognizer, Loading) else recognizer
        async with Server(loaded, options) as server:
            stopped = asyncio.create_task(stop.wait())
            if isinstance(recognizer, Loading):
                log.info("port %d is open; loading the model", server.port)
                loading = recognizer.begin()
                either: set[asyncio.Future[Any]] = {loading, stopped}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if loading.done():
                    server.open(*loading.result())
            log.info("up to %d files can be open, each connection is one", open_files())
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
    """Call `serve` on a new event loop: that of uvloop, or of asyncio on Windows.

    The process is the server's own: it limits the memory that FFmpeg may allocate at once, and can
    then open as many files as the system allows it.
    """
    limit_allocations(_MAX_ALLOCATION)
    raise_open_files()
    if sys.platform == "win32":
        new_event_loop = asyncio.new_event_loop
    else:
        from uvloop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(recognizer, options, ready=ready))
