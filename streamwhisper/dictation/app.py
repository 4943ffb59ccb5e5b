"""Dictation: microphone, switch, engine, spoken commands and text output in one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.client.protocol import StreamEvent
from streamwhisper.control_characters import without_controls
from streamwhisper.dictation.level import decibels
from streamwhisper.dictation.microphone import Microphone
from streamwhisper.dictation.sink import Sink
from streamwhisper.dictation.switch import PushToTalkBuffer, Switch
from streamwhisper.dictation.terminal import TerminalSink
from streamwhisper.errors import StreamWhisperError
from streamwhisper.events import Committed, Partial
from streamwhisper.live.stream import Stream
from streamwhisper.phrasing.edits import Edit
from streamwhisper.protocol import ErrorMessage

if TYPE_CHECKING:
    from streamwhisper.phrasing.phrases import Phrases

__all__ = ["Dictation", "Engine"]

Engine = Callable[[], AbstractAsyncContextManager[Stream]]
"""Context manager that loads a model or connects to a server."""

A = TypeVarTuple("A")
_WAITING = 3000  # audio chunks that may wait for the engine; then the microphone waits


class Dictation:
    """One run of dictation.

    The microphone opens before the engine is ready, and the audio waits for the engine. All output
    happens in order on one thread.
    """

    def __init__(
        self,
        microphone: Microphone,
        engine: Engine,
        sink: Sink,
        face: TerminalSink,
        switch: Switch,
        phrases: Phrases | None = None,
        *,
        starting: str = "Loading the model… You can already speak.",
    ) -> None:
        """Connect the parts.

        Args:
            microphone: source of the audio.
            engine: opens the live stream.
            sink: receives the text.
            face: shows state and notices; may be the sink as well.
            switch: turns listening on and off.
            phrases: turns spoken commands into edits; None outputs the text unchanged.
            starting: notice while the engine starts.
        """
        self._microphone = microphone
        self._engine = engine
        self._sink = sink
        self._face = face
        self._switch = switch
        self._phrases = phrases
        self._starting = starting
        self._begun = False  # whether text was put out
        self._audio: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)  # None: a flush
        self._audio_ended = asyncio.Event()
        self._output = ThreadPoolExecutor(1, thread_name_prefix="sink")
        self._shown: Future[None] | None = None  # update of the level in progress

    async def run(self, stop: asyncio.Event) -> None:
        """Dictate until `stop` is set, then commit and output the remaining text.

        Raises:
            MicrophoneError: no microphone can be opened at the start. One that is lost later is
                waited for.
            StreamWhisperError: the engine cannot start, or fails repeatedly.
        """
        try:
            device = await self._microphone.open()
            self._face.say(self._starting)
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen())
                stopping = tasks.create_task(self._stop(stop))
                async with self._engine() as stream:
                    state = "Listening to" if self._switch.on else "Paused; the microphone is"
                    self._face.say(f"{state} {device.name}. Press Ctrl+C to stop.")
                    await self._do(self._face.begin)
                    self._switch.subscribe(self._show_state)
                    self._show_state(self._switch.on)
                    sending = tasks.create_task(self._send(stream))
                    async for event in stream:
                        await self._take(event)
                for task in (listening, stopping, sending):
                    task.cancel()
        except* (StreamWhisperError, OSError) as group:
            raise _first(group) from None
        finally:
            await self._microphone.close()
            await self._do(self._sink.close)
            await self._do(self._face.close)
            self._output.shutdown()

    async def _stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self._microphone.stop()

    async def _listen(self) -> None:
        """Queue microphone audio while the switch is on."""
        buffer = PushToTalkBuffer()
        async for chunk in self._microphone:
            if chunk is None:
                await self._audio.put(None)
                continue
            passed, closed = buffer.let_through(chunk, on=self._switch.on)
            for start in range(0, len(passed), SAMPLE_RATE):
                await self._audio.put(passed[start : start + SAMPLE_RATE].astype("<f4").tobytes())
            if closed:
                await self._audio.put(None)
            if self._shown is None or self._shown.done():
                level = decibels(chunk) if self._switch.on else -120.0
                self._shown = self._output.submit(self._face.level, level)
        self._audio_ended.set()
        await self._audio.put(None)

    async def _send(self, stream: Stream) -> None:
        while not (self._audio_ended.is_set() and self._audio.empty()):
            audio = await self._audio.get()
            if audio is None:
                await stream.flush()
            else:
                await stream.send(audio)
        await stream.end()

    async def _take(self, event: StreamEvent) -> None:
        if isinstance(event, Partial):
            await self._do(self._sink.guess, without_controls(event.text))
        elif isinstance(event, ErrorMessage):
            self._face.say(event.message)
        elif isinstance(event, Committed):
            # Phrases add newlines; one that the engine sends would press Return.
            text = without_controls(event.text)
            text = text if self._begun else text.lstrip()
            self._begun = self._begun or bool(text)
            await self._put(self._edits(text))
            if event.final:
                await self._put(self._phrases.end() if self._phrases else ())
                await self._do(self._sink.end)

    def _edits(self, text: str) -> tuple[Edit, ...]:
        if not text:
            return ()
        return self._phrases.apply(text) if self._phrases else (Edit(0, text),)

    async def _put(self, edits: tuple[Edit, ...]) -> None:
        for edit in edits:
            await self._do(self._sink.edit, edit)

    async def _do(self, call: Callable[[Unpack[A]], None], *arguments: *A) -> None:
        await asyncio.get_running_loop().run_in_executor(self._output, call, *arguments)

    def _show_state(self, on: bool) -> None:
        self._output.submit(self._face.listening, on)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
