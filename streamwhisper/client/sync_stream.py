"""Synchronous client of a streamwhisper server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from streamwhisper.client.connecting import DEFAULT_URL
from streamwhisper.client.protocol import StreamEvent
from streamwhisper.client.stream import StreamClient, opened
from streamwhisper.protocol import Ready

__all__ = ["SyncStreamClient"]

T = TypeVar("T")


class SyncStreamClient:
    """One session with a server, for use with ``with``; has the methods of `StreamClient`.

    One thread may send while another one iterates. A background thread runs the connection.
    """

    def __init__(self, url: str = DEFAULT_URL, **options: Any) -> None:
        """Prepare a session; see `StreamClient` for the options."""
        self.url = url
        self._client = StreamClient(url, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> Ready:
        """The server's answer to the last start or resume."""
        return self._client.ready

    def __enter__(self) -> SyncStreamClient:
        """Connect and start the session; see `StreamClient` for the errors."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="stream client", daemon=True
        )
        self._thread.start()
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._run(self._client.__aexit__(kind, error, traceback))
        finally:
            self._stop()

    def send(self, audio: bytes) -> None:
        """Send audio of any length, in the declared encoding."""
        self._run(self._client.send(audio))

    def flush(self, id: str | None = None) -> None:
        """Commit all audio sent so far; a `Flushed` event with this `id` follows."""
        self._run(self._client.flush(id))

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """Replace the vocabulary from now on."""
        self._run(self._client.set_vocabulary(words))

    def ping(self, id: str | None = None) -> None:
        """Request a `Pong` with this `id`."""
        self._run(self._client.ping(id))

    def end(self) -> None:
        """Declare the end of the audio; the remaining events follow, `Done` last."""
        self._run(self._client.end())

    def __iter__(self) -> Iterator[StreamEvent]:
        """Iterate over the events, `Done` last; see `StreamClient` for the errors."""
        while (event := self._run(self._client.receive())) is not None:
            yield event

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
        return asyncio.run_coroutine_threadsafe(work, opened(self._loop)).result()

    def _stop(self) -> None:
        loop, thread = opened(self._loop), opened(self._thread)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._loop = None
