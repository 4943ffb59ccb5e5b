"""The microphone as a plain iterator, for programs that embed the engine."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from streamwhisper.dictation.microphone import Microphone, MicrophoneOptions
from streamwhisper.errors import SessionError

__all__ = ["MicrophoneStream", "microphone"]

log = logging.getLogger(__name__)


def microphone(
    device: str | int | None = None,
    *,
    channel: int | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> MicrophoneStream:
    """Return the audio of a microphone as an iterator of chunks.

    Args:
        device: name, part of a name, or number; None takes the system's default. ``streamwhisper
            mic --list-devices`` prints them.
        channel: the only channel to use, counted from 1; None mixes those that carry audio.
        on_notice: receives a sentence when the microphone is lost, is back, or audio is missing;
            by default it is logged as a warning.

    Example:
        ::

            for event in listen(recognizer, microphone()):
                if isinstance(event, Committed):
                    print(event.text, end="", flush=True)
    """
    options = MicrophoneOptions(None if device is None else str(device), channel=channel)
    return MicrophoneStream(options, on_notice)


class MicrophoneStream:
    """Chunks of microphone audio: float32 mono ``[n]`` at 16 kHz, about 0.1 s each.

    Iterate with ``for``, or with ``async for`` on an event loop. The device opens with the
    iteration and closes when the iteration ends. A microphone that is lost is waited for, and
    the iteration continues. Audio is kept for up to five minutes while the consumer is busy.

    Iteration raises `MicrophoneError` when no microphone can be opened at the start.
    """

    def __init__(
        self,
        options: MicrophoneOptions | None = None,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare the stream; see `microphone`."""
        self._microphone = Microphone(options or MicrophoneOptions(), on_notice or log.warning)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # while the iteration lasts
        self._stopping: asyncio.Task[None] | None = None
        self._stop_requested = False
        self._iterated = False

    def stop(self) -> None:
        """End the iteration after the audio that is on its way; callable from any thread."""
        with self._lock:
            self._stop_requested = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._begin_stop)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Iterate in a thread that runs no event loop.

        Raises:
            MicrophoneError: no microphone can be opened.
            SessionError: an event loop runs in this thread, or the stream was iterated before.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._iterate()
        raise SessionError('an event loop runs in this thread; use "async for" instead of "for"')

    async def __aiter__(self) -> AsyncIterator[NDArray[np.float32]]:
        """Iterate on the running event loop.

        Raises:
            MicrophoneError: no microphone can be opened.
            SessionError: the stream was iterated before.
        """
        if self._iterated:
            raise SessionError("this microphone was iterated before; call microphone() again")
        self._iterated = True
        await self._microphone.open()
        try:
            with self._lock:
                self._loop = asyncio.get_running_loop()
                if self._stop_requested:
                    self._begin_stop()
            async for chunk in self._microphone:
                if chunk is not None:
                    yield chunk
        finally:
            with self._lock:
                self._loop = None
            if self._stopping is not None:
                self._stopping.cancel()
            await self._microphone.close()

    def _iterate(self) -> Iterator[NDArray[np.float32]]:
        async def next_chunk() -> NDArray[np.float32] | None:
            return await anext(chunks, None)

        with asyncio.Runner() as runner:
            chunks = aiter(self)
            while (chunk := runner.run(next_chunk())) is not None:
                yield chunk

    def _begin_stop(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._microphone.stop())
