"""LiveStream with real weights: all words, buffers held back, failures repeated."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from streamwhisper.audio.files import read_audio
from streamwhisper.errors import RecognitionError
from streamwhisper.events import Committed, Done
from streamwhisper.live.stream import LiveStream
from streamwhisper.session.options import SessionOptions
from tests.support.paths import SAMPLE

SPOKEN = SAMPLE.with_suffix(".txt")


def letters(text: str) -> list[str]:
    return "".join(sign for sign in text.lower() if sign.isalnum() or sign.isspace()).split()


async def transcribe(stream: LiveStream, sound: np.ndarray, chunk: int) -> list[object]:
    async def send() -> None:
        for start in range(0, len(sound), chunk):
            await stream.send(sound[start : start + chunk])
        await stream.end()

    async with stream:
        sending = asyncio.create_task(send())
        events = [event async for event in stream]
        await sending
    return events


def text_of(events: list[object]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed))


async def test_every_word_arrives_and_done_is_last(recognizer):
    events = await transcribe(LiveStream(recognizer), read_audio(SAMPLE), 16000)
    assert letters(text_of(events)) == letters(SPOKEN.read_text())
    assert isinstance(events[-1], Done)


async def test_send_waits_while_the_buffers_are_full_and_loses_nothing(recognizer):
    silence = np.zeros(90 * 16000, np.float32)
    sound = np.concatenate([silence, read_audio(SAMPLE)[: 5 * 16000]])
    events = await transcribe(LiveStream(recognizer), sound, len(sound) // 7)
    assert letters(text_of(events))[:4] == ["good", "morning", "and", "welcome"]


class Failing:
    """The recognizer, but for some of its answers."""

    def __init__(self, recognizer, failures: int) -> None:
        self.info = replace(recognizer.info)
        self._recognizer, self._failures = recognizer, failures

    def recognize(self, requests):
        self._failures -= 1
        if self._failures >= 0:
            raise RecognitionError("out of memory")
        return self._recognizer.recognize(requests)


async def test_a_failed_request_is_repeated_and_loses_no_word(recognizer):
    sound = read_audio(SAMPLE)[: 5 * 16000]
    whole = await transcribe(LiveStream(recognizer, SessionOptions()), sound, 80000)
    events = await transcribe(LiveStream(Failing(recognizer, 2)), sound, 80000)
    assert text_of(events) == text_of(whole)


async def test_a_lasting_failure_is_raised_to_the_reader(recognizer):
    stream = LiveStream(Failing(recognizer, 99))
    with pytest.raises(RecognitionError, match="out of memory"):
        await transcribe(stream, read_audio(SAMPLE)[: 5 * 16000], 8000)


async def test_leaving_in_the_middle_leaves_no_thread_waiting(recognizer):
    async with LiveStream(recognizer) as stream:
        await stream.send(read_audio(SAMPLE)[: 3 * 16000])
        await stream.flush()
        async for event in stream:
            assert event
            break
