"""Live transcription on an event loop, with a model in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Unpack, cast

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.audio.samples import ChunkConverter
from streamwhisper.client.event_queue import EventQueue
from streamwhisper.client.protocol import StreamEvent
from streamwhisper.errors import AudioFormatError, RecognitionError, SessionError
from streamwhisper.events import Event
from streamwhisper.live.driver import MAX_FAILURES, SessionDriver
from streamwhisper.live.keywords import SessionKeywords, session_options
from streamwhisper.live.scheduler import Scheduler, SchedulerOptions
from streamwhisper.recognition import Recognizer
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["LiveStream", "Stream"]

_MAX_UNREAD = 4096  # events; recognition pauses while more are unread


class Stream(Protocol):
    """Audio in, events out: `LiveStream` and `streamwhisper.client.StreamClient`."""

    async def send(self, audio: bytes) -> None:
        """Add audio in the stream's encoding; wait while the buffers are full."""

    async def flush(self, id: str | None = None) -> None:
        """Commit all audio sent so far; a `Flushed` event with this `id` follows."""

    async def end(self) -> None:
        """Declare the end of the audio; the remaining events follow, `Done` last."""

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """Iterate over the events, `Done` last."""


class LiveStream:
    """Live transcription of one speaker, without a server.

    Send audio in one task and iterate over the events in another::

        import asyncio

        from streamwhisper import LiveStream, LocalRecognizer
        from streamwhisper.audio.files import stream_audio
        from streamwhisper.events import Committed

        async def send(stream, path):
            for samples in stream_audio(path, chunk_samples=1600):  # 0.1 s each
                await stream.send(samples)
            await stream.end()

        async def transcribe(recognizer, path):
            async with LiveStream(recognizer) as stream, asyncio.TaskGroup() as tasks:
                tasks.create_task(send(stream, path))
                async for event in stream:
                    if isinstance(event, Committed):
                        print(event.text, end="", flush=True)

        recognizer = LocalRecognizer.load("tiny.en")
        asyncio.run(transcribe(recognizer, "examples/sample.flac"))

    Recognition runs on worker threads, so the event loop never waits for the model. Several
    streams share a model fairly when they are given the same `Scheduler`::

        scheduler = Scheduler(recognizer)
        async with LiveStream(scheduler) as first, LiveStream(scheduler) as second:
            ...
        await scheduler.aclose()

    Memory is bounded. `send` waits while the buffers are full (at most about 40 s). A reader
    that falls behind receives only the newest `Partial`; recognition pauses while 4,096 other
    events are unread. Every method may be cancelled: audio is either taken whole or not at all,
    and no event is lost. Leaving the context early drops what is not recognized yet.
    """

    def __init__(
        self,
        model: Recognizer | Scheduler | str | Path,
        options: SessionOptions | None = None,
        *,
        audio_format: AudioFormat | None = None,
        sample_rate: int = SAMPLE_RATE,
        channel: int | None = None,
        **keywords: Unpack[SessionKeywords],
    ) -> None:
        """Prepare a stream; entering the context starts it.

        Args:
            model: the model, or a `Scheduler` that several streams share. A shared scheduler
                stays open when the stream ends. A name or a path loads a model, which blocks.
            options: all options as one object; most callers use keywords instead.
            audio_format: format of the bytes passed to `send`; None when it receives samples.
            sample_rate: of the samples passed to `send`, in hertz.
            channel: the only channel to use, counted from 1; the default mixes all.
            keywords: see `SessionKeywords`.

        Raises:
            RecognitionError: the model does not support the language or the task.
            TypeError: a keyword is unknown.
            ValueError: a keyword contradicts `options`.
        """
        from streamwhisper.engine.loading import as_model

        chosen = session_options("LiveStream", options, keywords)
        self._owns_scheduler = not isinstance(model, Scheduler)
        self._scheduler = (
            model
            if isinstance(model, Scheduler)
            else Scheduler(as_model(model), SchedulerOptions(max_batch=1))
        )
        self._converter = ChunkConverter(
            sample_rate, channel=None if audio_format is not None else channel
        )
        self._audio_format = audio_format
        decoder = (
            AudioDecoder(AudioFormat("pcm_f32le"))
            if audio_format is None
            else AudioDecoder(audio_format, channel=channel)
        )
        self._session = Session(self._scheduler.info, decoder, chosen)
        self._events = EventQueue(1)  # from one unread event on, only the newest partial stays
        self._changed = asyncio.Event()  # buffers were emptied, or the stream is over
        self._driver = SessionDriver(self._scheduler)
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def __aenter__(self) -> LiveStream:
        """Start recognizing."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop at once; the audio that is not recognized yet is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._owns_scheduler:
            await self._scheduler.aclose()

    async def send(self, audio: Any) -> None:
        """Add audio of any length; wait while the buffers are full.

        Args:
            audio: samples of any numeric type with any number of channels at `sample_rate`, or
                bytes in the stream's `audio_format`.

        Raises:
            AudioFormatError: the audio cannot be decoded.
            SessionError: the stream was not entered, or has ended.
            RecognitionError: the recognizer failed several times in a row.
        """
        if self._task is None:
            raise SessionError('the stream is not open; use "async with LiveStream(...) as stream"')
        self._check(audio)
        await asyncio.sleep(0)  # a sender that never waits must not hold up recognition
        while not self._session.can_receive and self._failure is None:
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure
        self._session.receive_audio(self._encode(audio))
        self._driver.wake(self._session)

    async def flush(self, id: str | None = None) -> None:
        """Commit all audio sent so far; a `Flushed` event with this `id` follows."""
        self._session.flush(id)
        self._driver.wake(self._session)

    async def end(self) -> None:
        """Declare the end of the audio; the remaining events follow, `Done` last."""
        if rest := self._converter.finish().astype("<f4", copy=False).tobytes():
            self._session.receive_audio(rest)
        self._session.end()
        self._driver.wake(self._session)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events, `Done` last.

        Raises:
            RecognitionError: the recognizer failed several times in a row.
        """
        while (event := await self._events.get()) is not None:
            self._changed.set()
            yield cast("Event", event)
        if self._failure is not None:
            raise self._failure

    def _check(self, audio: Any) -> None:
        """Raise AudioFormatError if audio is bytes instead of samples, or the reverse."""
        is_bytes = isinstance(audio, bytes | bytearray | memoryview)
        if is_bytes and self._audio_format is None:
            raise AudioFormatError(
                "audio is bytes of an unknown format; pass audio_format=AudioFormat(...) to "
                "LiveStream, or send an array of samples"
            )
        if not is_bytes and self._audio_format is not None:
            raise AudioFormatError(
                f"audio is a {type(audio).__name__}; expected bytes, because the stream has the "
                f"audio format {self._audio_format.encoding}"
            )

    def _encode(self, audio: Any) -> bytes:
        """Return audio in the format that the session decodes."""
        if isinstance(audio, bytes | bytearray | memoryview):
            return bytes(audio)
        return self._converter.convert(audio).astype("<f4", copy=False).tobytes()

    async def _run(self) -> None:
        try:
            await self._driver.run(
                lambda: self._session,
                publish=self._publish,
                finished=lambda: self._session.done,
                failed=_give_up,
            )
            await self._publish()
        except Exception as error:  # raised again by `send` and by the iterator
            self._failure = error
        finally:
            self._driver.withdraw()
            self._events.close()
            self._changed.set()

    async def _publish(self) -> None:
        for event in self._session.events():
            self._events.put(event)
        self._changed.set()
        while len(self._events) >= _MAX_UNREAD:
            self._changed.clear()
            await self._changed.wait()


def _give_up(error: RecognitionError, consecutive: int) -> None:
    if consecutive == MAX_FAILURES:
        raise error
