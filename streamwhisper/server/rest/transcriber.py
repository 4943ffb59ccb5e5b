"""Transcribes recordings on threads of their own; live sessions have priority.

Recordings and sessions share one model. Before each batch, a recording waits while requests of
sessions are queued. Within a batch, the operating system gives its thread a lower priority.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar

from streamwhisper.audio.opening import Selection
from streamwhisper.engine.priority import lower_priority
from streamwhisper.server.rest.request import TranscriptionRequest
from streamwhisper.server.rest.upload_audio import count_channels, read_samples
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.options import ChunkOptions
from streamwhisper.transcription.parts import transcribe_parts
from streamwhisper.transcription.recognizer import WindowRecognizer

__all__ = ["Part", "Transcriber", "race"]

T = TypeVar("T")
Ending = Coroutine[Any, Any, NoReturn]

_MOST_CHUNKS = 16
_NICE = 10
_LONGEST_PAUSE = 2.0
"""Seconds after which a recording continues although sessions wait."""
_LOOK = 0.02


Part = tuple[int, Transcript]
"""Index of a channel, and a part of its transcript."""
_Found = asyncio.Queue[Part | Exception | None]
"""Parts of transcripts; None marks the end."""


class _Left(Exception):
    """Cancellation: the client has disconnected."""


class Transcriber:
    """Transcribes a limited number of recordings at a time, in order of arrival.

    Attributes:
        recognizer: the model that live sessions use as well.
    """

    def __init__(
        self, recognizer: WindowRecognizer, sessions_wait: Callable[[], bool], at_a_time: int
    ) -> None:
        """Share a model with live sessions.

        Args:
            recognizer: the model.
            sessions_wait: returns whether requests of sessions are queued.
            at_a_time: maximum number of recordings transcribed at the same time.
        """
        self.recognizer = recognizer
        self._sessions_wait = sessions_wait
        self._threads = ThreadPoolExecutor(
            at_a_time, thread_name_prefix="transcriber", initializer=lower_priority
        )
        self._under_way: set[_Found] = set()

    @property
    def recordings(self) -> int:
        """Number of recordings that are being transcribed or are queued."""
        return len(self._under_way)

    async def parts(
        self, request: TranscriptionRequest, max_seconds: float
    ) -> AsyncGenerator[Part]:
        """Yield the parts of a recording's transcripts, each as soon as it is ready.

        To give up, close the iterator; the recording's thread is free after the current batch.

        Args:
            request: the recording and its options.
            max_seconds: maximum length of the recording in seconds; of all channels together if
                they are transcribed separately.

        Raises:
            AudioFormatError: the recording cannot be read.
            RecognitionError: the model does not support the options.
            HandshakeRejected: the recording is too long.
        """
        loop = asyncio.get_running_loop()
        found = _Found()
        left = threading.Event()
        pause = partial(self._pause, left)

        def work() -> None:
            size = min(_MOST_CHUNKS, self.recognizer.windows_at_once)
            options = replace(request.options, chunks=ChunkOptions(batch_size=size))
            selections = _selections(request)
            most = max_seconds / len(selections)  # one channel is in memory at a time
            for channel, selection in enumerate(selections):
                request.audio.seek(0)
                samples = read_samples(request.audio, request.format, most, pause, selection)
                for part in transcribe_parts(self.recognizer, samples, options, pause=pause):
                    loop.call_soon_threadsafe(found.put_nowait, (channel, part))

        self._under_way.add(found)
        job = loop.run_in_executor(self._threads, work)
        job.add_done_callback(lambda _: found.put_nowait(None))
        try:
            while (part := await found.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
            await job
        finally:
            self._under_way.discard(found)
            left.set()
            job.cancel()  # no effect if it runs; `left` ends it

    def cut_off(self, error: Exception) -> None:
        """End all recordings with this error."""
        for found in self._under_way:
            found.put_nowait(error)

    def close(self) -> None:
        """Stop; the threads end after their current batch."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pause(self, left: threading.Event) -> None:
        until = time.monotonic() + _LONGEST_PAUSE
        while self._sessions_wait() and time.monotonic() < until:
            if left.wait(_LOOK):
                break
        if left.is_set():
            raise _Left


def _selections(request: TranscriptionRequest) -> list[Selection]:
    """Return what is transcribed: the mix of the channels, or each by itself."""
    if not request.multichannel:
        return [request.selection]
    count = count_channels(request.audio, request.format, request.selection)
    return [replace(request.selection, channel=channel + 1) for channel in range(count)]


async def race(work: Coroutine[Any, Any, T], *endings: Ending) -> T:
    """Return the result of `work`; if an ending raises first, cancel the work and raise that."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(one) for one in (work, *endings)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        result: T = next(task for task in tasks if task.done()).result()
        return result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
