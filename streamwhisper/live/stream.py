"""The engine in this process, used as a client of a server is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, cast

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.client.event_queue import EventQueue
from streamwhisper.client.protocol import StreamEvent
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import Recognizer
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["EmbeddedStream", "Stream"]

_MAX_FAILURES = 3  # of the same request in a row


class Stream(Protocol):
    """What dictation needs of an engine; `streamwhisper.client.StreamClient` has it, too."""

    async def send(self, audio: bytes) -> None:
        """Take sound: float32, 16 kHz, mono; waits while there is no room for it."""

    async def flush(self, id: str | None = None) -> None:
        """Commit everything so far."""

    async def end(self) -> None:
        """No more sound comes."""

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """What is heard, `Done` last."""


class EmbeddedStream:
    """A session with a recognizer in this process, for use with ``async with``.

    The model works on a thread of its own, the session on the event loop.
    """

    def __init__(self, recognizer: Recognizer, options: SessionOptions | None = None) -> None:
        self._recognizer = recognizer
        decoder = AudioDecoder(AudioFormat("pcm_f32le"))
        self._session = Session(recognizer.info, decoder, options)
        self._inbox = EventQueue(1)  # who types slowly wants the newest guess alone
        self._news = asyncio.Event()  # for the driver: something came in
        self._room = asyncio.Event()  # for the sender: the session took sound from its buffers
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recognizer")
        self._driver: asyncio.Task[None] | None = None

    async def __aenter__(self) -> EmbeddedStream:
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)  # the reader was told
        self._thread.shutdown(wait=False)

    async def send(self, audio: bytes) -> None:
        """Take sound; waits while the session's buffers are full."""
        while not self._session.can_receive and not self._over:
            self._room.clear()
            await self._room.wait()
        self._session.receive_audio(audio)
        self._news.set()

    async def flush(self, id: str | None = None) -> None:
        """Commit everything heard so far as soon as it can be."""
        self._session.flush(id)
        self._news.set()

    async def end(self) -> None:
        """No more sound: the rest of the text comes, then `Done`."""
        self._session.end()
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """Everything that is heard, `Done` last.

        Raises:
            RecognitionError: the recognizer could not answer, several times in a row.
        """
        while (event := await self._inbox.get()) is not None:
            yield cast(StreamEvent, event)
        assert self._driver is not None
        await self._driver

    @property
    def _over(self) -> bool:
        return self._driver is None or self._driver.done()

    async def _drive(self) -> None:
        try:
            while not self._session.done:
                self._news.clear()
                await self._advance()
                if not self._session.done:
                    await self._news.wait()
        finally:
            self._inbox.close()
            self._room.set()

    async def _advance(self) -> None:
        """Have done what is due, and hand on what came of it."""
        loop, failures = asyncio.get_running_loop(), 0
        while request := self._session.next_request():
            self._publish()
            try:
                (answer,) = await loop.run_in_executor(
                    self._thread, self._recognizer.recognize, [request]
                )
            except RecognitionError:
                self._session.abandon_request()
                failures += 1
                if failures == _MAX_FAILURES:
                    raise
            else:
                self._session.receive_hypothesis(answer)
                failures = 0
            self._publish()
        self._publish()

    def _publish(self) -> None:
        for event in self._session.events():
            self._inbox.put(event)
        self._room.set()
