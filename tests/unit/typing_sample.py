"""The public API as a typed program uses it; mypy checks this file in strict mode, nothing runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

import streamwhisper
from streamwhisper import (
    Committed,
    Done,
    Event,
    LiveStream,
    LocalOptions,
    LocalRecognizer,
    Partial,
    Recognizer,
    Reconnection,
    Segment,
    ServerError,
    SessionOptions,
    SyncStreamClient,
    TimedWord,
    Transcript,
    TranscriptionOptions,
    WordOptions,
    connect,
    detect_language,
    listen,
    load_model,
    microphone,
    read_audio,
    stream_audio,
    transcribe,
    transcribe_all,
)
from streamwhisper.testing import FailingRecognizer, ScriptedRecognizer, text_of, write_script


def recordings(file: BinaryIO) -> None:
    model = load_model("base", LocalOptions(device="cpu"))
    assert_type(model, LocalRecognizer)
    samples = np.zeros(16000, np.int16)
    for audio in ("talk.mp3", Path("talk.mp3"), b"RIFF", file):
        assert_type(transcribe(audio, model), Transcript)
    transcribe(samples, "base", sample_rate=44100)
    transcribe(torch.zeros(2, 16000), model=model, language="de", word_timestamps=True)
    transcribe({"array": samples, "sampling_rate": 8000}, temperature=[0.0, 0.5])
    found = transcribe(model, "talk.mp3", TranscriptionOptions(words=WordOptions()))
    for each in transcribe_all(["a.mp3", samples], model, beam_size=5):
        assert_type(each, Transcript)
    assert_type(detect_language(samples, model), dict[str, float])
    assert_type(found.save("talk.srt"), Path)
    assert_type(found.to_srt() + found.to_vtt() + found.to_json() + str(found), str)
    for segment in found.segments:
        assert_type(segment, Segment)
        for word in segment.words or ():
            assert_type(word, TimedWord)
    assert_type(model.transcribe(samples), Transcript)
    streamwhisper.transcribe("talk.mp3", beamsize=5)  # type: ignore[call-overload]
    transcribe("talk.mp3", word_timestamps="yes")  # type: ignore[call-overload]


def chunks() -> Iterator[NDArray[np.float32]]:
    yield from stream_audio("talk.mp3", chunk_samples=1600)
    yield read_audio("talk.mp3")


def live(model: Recognizer) -> None:
    for event in listen(model, microphone(), latency="low", vocabulary=["Montfichet"]):
        assert_type(event, Event)
        if isinstance(event, Committed | Partial):
            assert_type(event.text, str)
        elif isinstance(event, Done):
            assert_type(event.audio_seconds, float)
    assert_type(listen("base", chunks(), SessionOptions(partials=False)), Iterator[Event])


async def on_an_event_loop(model: Recognizer) -> None:
    async with LiveStream(model, language="en", sample_rate=48000) as stream:
        await stream.send(np.zeros(4800, np.int16))
        await stream.end()
        async for event in stream:
            assert_type(event, Event)
    try:
        async with connect("ws://127.0.0.1:8765", reconnect=Reconnection()) as client:
            await client.send(b"\0\0")
            await client.end()
    except ServerError as error:
        assert_type(error.retry_after, float | None)


def without_one() -> None:
    with SyncStreamClient("ws://127.0.0.1:8765", language="en") as client:
        client.send(b"\0\0")
        client.end()


def in_tests() -> None:
    script = write_script(read_audio("speech.wav"), ["hello", "world"])
    recognizer: Recognizer = FailingRecognizer(ScriptedRecognizer(script), failures=2)
    assert_type(text_of(listen(recognizer, [script.samples])), str)


if __name__ == "__main__":
    asyncio.run(on_an_event_loop(load_model()))
