"""Dictation put together: microphone, switch, engine, phrases, and where the text goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVarTuple, Unpack

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.client.protocol import StreamEvent
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
"""Loads a model or connects to a server, however long that takes."""

A = TypeVarTuple("A")
_WAITING = 3000  # pieces of sound that may wait for the engine; behind them the microphone waits


class Dictation:
    """One run of dictation, until it is told to stop.

    The microphone is open before the engine is there: what is said meanwhile waits for it. All
    that is shown and typed happens on one thread, in order.
    """

    def __init__(
        self,
        microphone: Microphone,
        engine: Engine,
        sink: Sink,
        face: TerminalSink,
        switch: Switch,
        phrases: Phrases | None = None,
    ) -> None:
        """Join the parts.

        Args:
            face: shows what goes on; it may be the sink as well.
            phrases: turn spoken commands into edits; None: text is put out as it was heard.
        """
        self._microphone = microphone
        self._engine = engine
        self._sink = sink
        self._face = face
        self._switch = switch
        self._phrases = phrases
        self._begun = False  # some text is out
        self._sound: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)  # None: a flush
        self._heard_out = asyncio.Event()  # no more sound comes
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="sink")
        self._shown: Future[None] | None = None  # the level on its way to the face

    async def run(self, stop: asyncio.Event) -> None:
        """Dictate until `stop`; then what was said is committed and put out.

        Raises:
            MicrophoneError: there is none when it begins; one that is lost later is waited for.
            StreamWhisperError: the engine cannot be had, or fails for good.
        """
        try:
            device = await self._microphone.open()
            self._face.say(
                f"the microphone is {device.name}; starting the engine, you can already speak"
            )
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen())
                stopping = tasks.create_task(self._stop(stop))
                async with self._engine() as stream:
                    await self._do(self._face.begin)
                    self._switch.tell(self._show_state)
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
            self._hand.shutdown()

    async def _stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self._microphone.stop()

    async def _listen(self) -> None:
        """Take sound in from the first moment, while the switch is on."""
        shutter = PushToTalkBuffer()
        async for sound in self._microphone:
            if sound is None:
                await self._sound.put(None)
                continue
            passed, shut = shutter.let_through(sound, on=self._switch.on)
            for start in range(0, len(passed), SAMPLE_RATE):
                await self._sound.put(passed[start : start + SAMPLE_RATE].astype("<f4").tobytes())
            if shut:
                await self._sound.put(None)
            if self._shown is None or self._shown.done():
                level = decibels(sound) if self._switch.on else -120.0
                self._shown = self._hand.submit(self._face.level, level)
        self._heard_out.set()
        await self._sound.put(None)

    async def _send(self, stream: Stream) -> None:
        while not (self._heard_out.is_set() and self._sound.empty()):
            sound = await self._sound.get()
            if sound is None:
                await stream.flush()
            else:
                await stream.send(sound)
        await stream.end()

    async def _take(self, event: StreamEvent) -> None:
        if isinstance(event, Partial):
            await self._do(self._sink.guess, event.text)
        elif isinstance(event, ErrorMessage):
            self._face.say(event.message)
        elif isinstance(event, Committed):
            text = event.text if self._begun else event.text.lstrip()
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
        await asyncio.get_running_loop().run_in_executor(self._hand, call, *arguments)

    def _show_state(self, on: bool) -> None:
        self._hand.submit(self._face.listening, on)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
