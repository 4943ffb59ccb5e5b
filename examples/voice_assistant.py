"""A voice assistant: listens, waits for the end of what is said, answers.

    streamwhisper serve &
    python examples/voice_assistant.py [SOUND] [--url URL]

Without SOUND it listens to the microphone. An answer is thought of as soon as an utterance is
over (`Committed.final`); whoever speaks on before it is there is heard out first.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator

from streamwhisper import connect
from streamwhisper.audio.files import stream_audio
from streamwhisper.events import Committed, Partial, SpeechStarted

RATE, CHUNK = 16000, 1600


async def answer(question: str) -> None:
    """Say something; a language model and a voice would be awaited here."""
    print(f"assistant: You said {len(question.split())} words: {question}", flush=True)


async def microphone() -> AsyncIterator[bytes]:
    """Sound as it is spoken: float32, 16 kHz, mono."""
    import sounddevice

    heard: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hear(sound: object, *_: object) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, bytes(sound))  # type: ignore[call-overload]

    with sounddevice.RawInputStream(RATE, CHUNK, channels=1, dtype="float32", callback=hear):
        while True:
            yield await heard.get()


async def recording(path: str) -> AsyncIterator[bytes]:
    """The same from a file, at the pace of speech."""
    for chunk in stream_audio(path, chunk_samples=CHUNK):
        yield chunk.astype("<f4").tobytes()
        await asyncio.sleep(CHUNK / RATE)


async def converse(url: str, sound: AsyncIterator[bytes]) -> None:
    """Answer every utterance, unless the person goes on speaking."""
    question, thinking = "", None
    async with connect(url, encoding="pcm_f32le", language="en") as stream:

        async def speak() -> None:
            async for chunk in sound:
                await stream.send(chunk)
            await stream.end()

        sending = asyncio.create_task(speak())
        async for event in stream:
            if isinstance(event, SpeechStarted | Partial) and thinking is not None:
                thinking.cancel()  # they speak on
            if isinstance(event, Committed):
                question += event.text
                if event.final and question.strip():
                    print(f"you: {question.strip()}")
                    thinking, question = asyncio.create_task(answer(question.strip())), ""
        await sending


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sound", nargs="?")
    parser.add_argument("--url", default="ws://127.0.0.1:8765/v1/stream")
    flags = parser.parse_args()
    asyncio.run(converse(flags.url, recording(flags.sound) if flags.sound else microphone()))
