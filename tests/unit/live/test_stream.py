"""LiveStream: audio in, events out, bounded and cancel-safe; several streams share a scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from streamwhisper.audio.formats import AudioFormat
from streamwhisper.errors import AudioFormatError, RecognitionError, SessionError
from streamwhisper.events import Committed, Done, Event, Flushed, Partial
from streamwhisper.live.scheduler import Scheduler
from streamwhisper.live.stream import LiveStream
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from tests.support.scripted import INFO, OPTIONS, Script, ScriptedRecognizer, script

CHUNK = 4000  # samples, 0.25 s


class Gated:
    """A scripted recognizer that waits at a gate and fails on demand."""

    info = INFO

    def __init__(self, recognizer: ScriptedRecognizer, failures: int = 0) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.failures = failures
        self._recognizer = recognizer

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        assert self.gate.wait(20)
        if self.failures:
            self.failures -= 1
            raise RecognitionError("out of memory")
        return self._recognizer.recognize(requests)


class Unsure:
    """A scripted recognizer that is unsure of each word, so that partial text is shown."""

    info = INFO

    def __init__(self, recognizer: ScriptedRecognizer) -> None:
        self._recognizer = recognizer

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [
            replace(answer, words=tuple(replace(w, log_probability=-0.7) for w in answer.words))
            for answer in self._recognizer.recognize(requests)
        ]


@pytest.fixture(scope="module")
def spoken() -> Script:
    return script(12.0)


@pytest.fixture(scope="module")
def scripted(spoken: Script) -> ScriptedRecognizer:
    return ScriptedRecognizer(spoken)


async def send(stream: LiveStream, spoken: Script, chunk: int = CHUNK) -> None:
    for start in range(0, len(spoken.sound), chunk):
        await stream.send(spoken.sound[start : start + chunk])
    await stream.end()


async def transcribe(stream: LiveStream, spoken: Script) -> list[Event]:
    async with stream, asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(send(stream, spoken))
        return [event async for event in stream]


async def all_events(stream: LiveStream) -> list[Event]:
    return [event async for event in stream]


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed)).strip()


async def test_every_word_arrives_once_and_done_is_last(
    spoken: Script, scripted: ScriptedRecognizer
):
    events = await transcribe(LiveStream(scripted, OPTIONS), spoken)
    assert text_of(events) == spoken.text
    assert isinstance(events[-1], Done)
    assert sum(isinstance(event, Done) for event in events) == 1


async def test_partial_text_arrives_while_the_person_speaks(
    spoken: Script, scripted: ScriptedRecognizer
):
    async with LiveStream(Unsure(scripted), OPTIONS) as stream, asyncio.timeout(20):
        for start in range(0, 6 * 16000, CHUNK):
            await stream.send(spoken.sound[start : start + CHUNK])
            await asyncio.sleep(0.01)
        async for event in stream:
            if isinstance(event, Partial) and event.text:
                break
    assert event.text.strip().startswith("w")


async def test_streams_share_a_scheduler_that_stays_open(
    spoken: Script, scripted: ScriptedRecognizer
):
    scheduler = Scheduler(scripted)
    streams = [LiveStream(scheduler, OPTIONS) for _ in range(3)]
    texts = [text_of(e) for e in await asyncio.gather(*(transcribe(s, spoken) for s in streams))]
    assert texts == [spoken.text] * 3
    assert text_of(await transcribe(LiveStream(scheduler, OPTIONS), spoken)) == spoken.text
    await scheduler.aclose()


async def test_bytes_are_decoded_in_the_declared_format(
    spoken: Script, scripted: ScriptedRecognizer
):
    async with LiveStream(scripted, OPTIONS, audio_format=AudioFormat("pcm_s16le")) as stream:
        await stream.send(spoken.pcm)
        await stream.end()
        assert text_of([event async for event in stream]) == spoken.text


async def test_bytes_of_an_unknown_format_are_rejected(scripted: ScriptedRecognizer):
    async with LiveStream(scripted) as stream:
        with pytest.raises(AudioFormatError, match=r"pass audio_format=AudioFormat"):
            await stream.send(bytes(3200))
    async with LiveStream(scripted, audio_format=AudioFormat()) as stream:
        with pytest.raises(AudioFormatError, match="audio is a ndarray; expected bytes"):
            await stream.send(np.zeros(1600, np.float32))


async def test_flush_commits_before_flushed_arrives(spoken: Script, scripted: ScriptedRecognizer):
    seconds = spoken.starts[3] + 0.25
    async with LiveStream(scripted, OPTIONS) as stream, asyncio.timeout(20):
        await stream.send(spoken.sound[: round(seconds * 16000)])
        await stream.flush("now")
        events = []
        async for event in stream:
            events.append(event)
            if event == Flushed("now"):
                break
    assert text_of(events).split()[:3] == ["w0", "w1", "w2"]


async def test_send_waits_while_the_buffers_are_full_and_can_be_cancelled(
    spoken: Script, scripted: ScriptedRecognizer
):
    gated = Gated(scripted)
    gated.gate.clear()
    async with LiveStream(gated, OPTIONS) as stream:
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while sent < 1000:
                    await stream.send(spoken.sound[:16000])
                    sent += 1
        assert 3 < sent < 60  # seconds
        gated.gate.set()
        async with asyncio.timeout(20):
            await stream.send(np.zeros(16000, np.float32))  # goes on after the cancellation
            await stream.end()
            done = [event async for event in stream][-1]
    assert isinstance(done, Done)
    assert done.audio_seconds == sent + 1  # nothing of the cancelled chunk was taken


async def test_a_cancelled_reader_misses_no_event(spoken: Script, scripted: ScriptedRecognizer):
    events: list[Event] = []
    async with LiveStream(scripted, OPTIONS) as stream, asyncio.TaskGroup() as tasks:
        tasks.create_task(send(stream, spoken))
        for _ in range(1000):
            try:
                async with asyncio.timeout(0.002):
                    async for event in stream:
                        events.append(event)
                break
            except TimeoutError:
                await asyncio.sleep(0)
    assert isinstance(events[-1], Done)
    assert text_of(events) == spoken.text


async def test_a_slow_reader_receives_all_text_and_only_new_partials(
    spoken: Script, scripted: ScriptedRecognizer
):
    async with LiveStream(Unsure(scripted), OPTIONS) as stream, asyncio.timeout(20):
        for start in range(0, len(spoken.sound), CHUNK):
            await stream.send(spoken.sound[start : start + CHUNK])
            await asyncio.sleep(0.02)  # about as long as a request takes
        unread = list(stream._events._events)
        await stream.end()
        events = [event async for event in stream]
    assert sum(isinstance(event, Partial) for event in unread) == 1
    assert text_of(events) == spoken.text


async def test_recognition_pauses_while_nobody_reads(
    spoken: Script, scripted: ScriptedRecognizer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("streamwhisper.live.stream._MAX_UNREAD", 3)
    async with LiveStream(scripted, OPTIONS) as stream:
        await send(stream, spoken)
        await asyncio.sleep(0.3)
        assert not stream._session.done
        assert len(stream._events) < 10
        assert text_of([event async for event in stream]) == spoken.text


async def test_failures_are_repeated_and_a_lasting_one_is_raised(
    spoken: Script, scripted: ScriptedRecognizer
):
    events = await transcribe(LiveStream(Gated(scripted, failures=2), OPTIONS), spoken)
    assert text_of(events) == spoken.text
    async with LiveStream(Gated(scripted, failures=99), OPTIONS) as stream:
        await stream.send(spoken.sound[: 3 * 16000])
        with pytest.raises(RecognitionError, match="out of memory"):
            await all_events(stream)
        with pytest.raises(RecognitionError, match="out of memory"):
            await stream.send(spoken.sound)


async def test_leaving_in_the_middle_stops_threads_and_tasks(
    spoken: Script, scripted: ScriptedRecognizer
):
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    async with LiveStream(scripted, OPTIONS) as stream:
        await stream.send(spoken.sound[: 3 * 16000])
        async for _ in stream:
            break
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
        assert not thread.is_alive()


async def test_use_outside_of_the_context_or_after_the_end_is_an_error(
    scripted: ScriptedRecognizer,
):
    stream = LiveStream(scripted)
    with pytest.raises(SessionError, match="async with LiveStream"):
        await stream.send(np.zeros(160, np.float32))
    async with stream:
        await stream.end()
        with pytest.raises(SessionError, match="after the end"):
            await stream.send(np.zeros(160, np.float32))
