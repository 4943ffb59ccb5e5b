"""The public microphone, on a real sound server."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamwhisper.audio.files import read_audio, write_wav
from streamwhisper.dictation.devices import MicrophoneError
from streamwhisper.dictation.microphone_stream import microphone
from streamwhisper.errors import SessionError
from streamwhisper.events import Committed, Done
from streamwhisper.live.listen import listen
from streamwhisper.live.stream import LiveStream
from tests.support.desktop import SoundServer, sound_here
from tests.support.paths import SAMPLE

RATE = 16000
OPENING = ["good", "morning", "and", "welcome"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    with sound_here(tmp_path) as running:
        yield running


@pytest.fixture
def noise(tmp_path: Path) -> np.ndarray:
    """int16 ``[n]``, one second, also in ``noise.wav``."""
    samples = np.random.default_rng(0).normal(0, 3000, RATE).astype("<i2")
    with wave.open(str(tmp_path / "noise.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return samples


def speak(server: SoundServer, file: Path) -> threading.Thread:
    thread = threading.Thread(target=server.say, args=(file,))
    thread.start()
    return thread


def letters(text: str) -> list[str]:
    return "".join(sign for sign in text.lower() if sign.isalpha() or sign.isspace()).split()


def test_every_sample_arrives_and_stop_ends_the_iteration(server, noise, tmp_path):
    chunks, stream, speaker = [], microphone(), None
    for chunk in stream:
        assert chunk.dtype == np.float32
        assert chunk.ndim == 1
        chunks.append(chunk)
        speaker = speaker or speak(server, tmp_path / "noise.wav")
        if sum(map(np.count_nonzero, chunks)) >= 0.99 * len(noise):
            stream.stop()
    speaker.join()
    heard = np.concatenate(chunks)
    first = np.flatnonzero(heard)[0]
    recorded = (heard[first : first + len(noise)] * 32768).astype("<i2")
    np.testing.assert_array_equal(recorded, noise)


async def test_it_is_iterated_on_an_event_loop_as_well(server, noise, tmp_path):
    loud, stream, speaker = 0, microphone("default"), None
    async with asyncio.timeout(20):
        async for chunk in stream:
            speaker = speaker or speak(server, tmp_path / "noise.wav")
            loud += np.count_nonzero(chunk)
            if loud >= 0.99 * len(noise):
                stream.stop()
    await asyncio.to_thread(speaker.join)
    with pytest.raises(SessionError, match='use "async for"'):
        iter(microphone())


def test_listen_transcribes_the_microphone(server, recognizer, tmp_path):
    write_wav(tmp_path / "speech.wav", read_audio(SAMPLE)[: 3 * RATE])
    stream, text = microphone(), ""
    speaker = None

    def chunks():
        nonlocal speaker
        for chunk in stream:
            speaker = speaker or speak(server, tmp_path / "speech.wav")
            yield chunk

    for event in listen(recognizer, chunks()):
        if isinstance(event, Committed):
            text += event.text
            if event.final and text:
                stream.stop()
    speaker.join()
    assert letters(text)[:4] == OPENING
    assert isinstance(event, Done)


async def test_a_live_stream_transcribes_the_microphone(server, recognizer, tmp_path):
    write_wav(tmp_path / "speech.wav", read_audio(SAMPLE)[: 3 * RATE])
    source, text, speaker = microphone(), "", None

    async def send(stream: LiveStream) -> None:
        nonlocal speaker
        async for chunk in source:
            speaker = speaker or speak(server, tmp_path / "speech.wav")
            await stream.send(chunk)
        await stream.end()

    async with asyncio.timeout(60), LiveStream(recognizer) as stream, asyncio.TaskGroup() as tasks:
        tasks.create_task(send(stream))
        async for event in stream:
            if isinstance(event, Committed):
                text += event.text
                if event.final and text:
                    source.stop()
    await asyncio.to_thread(speaker.join)
    assert letters(text)[:4] == OPENING


def test_leaving_the_loop_closes_the_device(server, noise, tmp_path):
    stream = microphone()
    iterator = iter(stream)
    next(iterator)
    capture = stream._microphone._capture
    assert capture.alive
    iterator.close()  # type: ignore[attr-defined]
    assert capture._stream.closed
    with pytest.raises(SessionError, match=r"call microphone\(\) again"):
        next(iter(stream))
    stopped = microphone()
    stopped.stop()
    assert sum(map(len, stopped)) < RATE  # a stop that comes first ends it at once


def test_without_a_microphone_the_error_says_what_to_do(server):
    with pytest.raises(MicrophoneError, match="no microphone matches 'trumpet'"):
        next(iter(microphone("trumpet")))
