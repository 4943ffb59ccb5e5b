"""One run of dictation, with an engine whose text cannot be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import numpy as np

from streamwhisper.dictation.app import Dictation
from streamwhisper.dictation.devices import Device
from streamwhisper.dictation.switch import Switch
from streamwhisper.events import Committed, Partial
from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.phrases import PhraseOptions, Phrases

ATTACK = " ls\x1b[2J\nrm\r -rf\x9b0m"


class Microphone:
    async def open(self) -> Device:
        return Device(0, "microphone", "test", 1, 16000, True)

    async def stop(self) -> None: ...

    async def close(self) -> None: ...

    async def __aiter__(self) -> AsyncIterator[np.ndarray]:
        yield np.zeros(1600, np.float32)


class Output:
    """A sink and the face of a dictation."""

    def __init__(self) -> None:
        self.text = ""
        self.guesses: list[str] = []

    def edit(self, edit: Edit) -> None:
        self.text = self.text[: len(self.text) - edit.erase] + edit.text

    def guess(self, text: str) -> None:
        self.guesses.append(text)

    def begin(self) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None: ...

    def say(self, text: str) -> None: ...

    def level(self, decibels: float) -> None: ...

    def listening(self, on: bool) -> None: ...


class Stream:
    def __init__(self, events: list[Any]) -> None:
        self._events = events

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self._events:
            yield event

    async def send(self, audio: bytes) -> None: ...

    async def flush(self) -> None: ...

    async def end(self) -> None: ...


async def dictated(events: list[Any], phrases: Phrases | None) -> Output:
    @asynccontextmanager
    async def engine() -> AsyncIterator[Any]:
        yield Stream(events)

    output, parts = Output(), cast("Any", Microphone())
    face = cast("Any", output)
    await Dictation(parts, engine, face, face, Switch(on=True), phrases).run(asyncio.Event())
    return output


def committed(text: str) -> Committed:
    return Committed(text, 0.0, 1.0, (), "en", 0, True)


async def test_the_newlines_of_spoken_commands_pass_and_those_of_the_engine_do_not():
    events = [Partial(ATTACK, 0, 1), committed(ATTACK), committed(" new line"), committed(" End")]
    for phrases in (Phrases(PhraseOptions()), None):
        output = await dictated(events, phrases)
        spoken = "\nEnd" if phrases else " new line End"
        assert output.text == "ls[2J rm  -rf0m" + spoken
        assert output.guesses == [" ls[2J rm  -rf0m"]
