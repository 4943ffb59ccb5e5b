"""Recordings transcribed on threads of their own, which let live sessions go first.

They are transcribed with the model that listens to the sessions. Between two batches, of a few
seconds of sound on a CPU, a recording waits while requests of sessions do; within one, the
system gives its thread less of the processor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar

from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.server.rest.request import TranscriptionRequest
from streamwhisper.server.rest.upload_audio import read_samples
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.options import ChunkOptions
from streamwhisper.transcription.parts import transcribe_parts

__all__ = ["Transcriber", "race"]

T = TypeVar("T")
Ending = Coroutine[Any, Any, NoReturn]

_MOST_CHUNKS = 16
_NICE = 10
_LONGEST_PAUSE = 2.0
"""Seconds after which a recording goes on though sessions wait, so that it comes to an end."""
_LOOK = 0.02


_Found = asyncio.Queue[Transcript | Exception | None]
"""The parts of a transcript; None at its end."""


class _Left(Exception):
    """Nobody waits for the transcript any more."""


class Transcriber:
    """Transcribes recordings, some at a time, in the order in which they come.

    Attributes:
        recognizer: whose model it uses.
    """

    def __init__(
        self, recognizer: LocalRecognizer, sessions_wait: Callable[[], bool], at_a_time: int
    ) -> None:
        """Use a model beside the sessions that it listens to.

        Args:
            recognizer: has it.
            sessions_wait: whether requests of sessions wait for it at present.
            at_a_time: recordings side by side.
        """
        self.recognizer = recognizer
        self._sessions_wait = sessions_wait
        self._threads = ThreadPoolExecutor(
            at_a_time, thread_name_prefix="transcriber", initializer=_give_way
        )
        self._chunks = ChunkOptions(batch_size=min(_MOST_CHUNKS, recognizer.batch))
        self._under_way: set[_Found] = set()

    @property
    def recordings(self) -> int:
        """How many are transcribed, or wait for it."""
        return len(self._under_way)

    async def parts(self, order: TranscriptionRequest, most: float) -> AsyncGenerator[Transcript]:
        """The parts of a recording's transcript, each as soon as it is there.

        Whoever gives up closes the iterator; the recording's thread is free a batch later.

        Args:
            most: seconds that it may last.

        Raises:
            AudioFormatError, RecognitionError, Refusal: as they say.
        """
        loop = asyncio.get_running_loop()
        found = _Found()
        left = threading.Event()
        pause = partial(self._pause, left)

        def work() -> None:
            samples = read_samples(order.sound, order.format, most, pause)
            options = replace(order.options, chunks=self._chunks)
            for part in transcribe_parts(self.recognizer, samples, options, pause=pause):
                loop.call_soon_threadsafe(found.put_nowait, part)

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
            job.cancel()  # which has not begun, or ends by itself

    def cut_off(self, error: Exception) -> None:
        """Have all that is under way end with this error."""
        for found in self._under_way:
            found.put_nowait(error)

    def close(self) -> None:
        """Begin no more; the threads end with the batch that they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pause(self, left: threading.Event) -> None:
        until = time.monotonic() + _LONGEST_PAUSE
        while self._sessions_wait() and time.monotonic() < until:
            if left.wait(_LOOK):
                break
        if left.is_set():
            raise _Left


async def race(work: Coroutine[Any, Any, T], *endings: Ending) -> T:
    """The result of some work, unless an ending raises before; then the work is cancelled."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(one) for one in (work, *endings)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        result: T = next(task for task in tasks if task.done()).result()
        return result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _give_way() -> None:
    """Have the system prefer other threads to this one, where it can tell threads apart."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
