"""A voice assistant: press Enter, ask, and it answers aloud.

    streamwhisper serve &
    python examples/voice_assistant.py [SOUND] [--url URL] [--voice FILE]

It listens until the question is over (`Committed.final`), answers by a rule, and speaks with
espeak-ng where that is installed, into FILE if one is given. It knows the time and sums, such as
"what is six times seven". With SOUND it hears a file, in which every utterance is a question.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from datetime import datetime
from operator import add, mul, sub, truediv

from streamwhisper import Committed, connect, stream_audio

RATE, CHUNK = 16000, 1600
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
OPERATIONS = {
    **{"plus": add, "+": add, "minus": sub, "-": sub},
    **{"times": mul, "x": mul, "×": mul, "divided": truediv, "/": truediv},
}


def answer(question: str) -> str:
    """What to say to that; a language model would be asked here."""
    words = [word for word in re.findall(r"\w+|[-+×/]", question.lower()) if word != "by"]
    words = [str(NUMBERS.index(word)) if word in NUMBERS else word for word in words]
    for a, operation, b in zip(words, words[1:], words[2:], strict=False):
        if a.isdigit() and b.isdigit() and operation in OPERATIONS:
            try:
                return f"That is {OPERATIONS[operation](int(a), int(b)):g}."
            except ZeroDivisionError:
                return "Nothing can be divided by zero."
    return f"It is {datetime.now():%H:%M}." if "time" in words else f"You said: {question}"


async def say(text: str, file: str | None) -> None:
    """Speak, if there is a voice."""
    print(f"assistant: {text}", flush=True)
    if voice := shutil.which("espeak-ng"):
        into = ["-w", file] if file else []
        await (await asyncio.create_subprocess_exec(voice, *into, "--", text)).wait()


async def microphone() -> AsyncIterator[bytes]:
    """Sound as it is spoken: float32, 16 kHz, mono."""
    import sounddevice

    heard: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hear(sound: object, *_: object) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, bytes(sound))  # type: ignore[call-overload]

    with sounddevice.RawInputStream(RATE, CHUNK, channels=1, dtype="float32", callback=hear):
        print("listening", flush=True)
        while True:
            yield await heard.get()


async def recording(path: str) -> AsyncIterator[bytes]:
    """The same from a file, at the pace of speech."""
    for chunk in stream_audio(path, chunk_samples=CHUNK):
        yield chunk.astype("<f4").tobytes()
        await asyncio.sleep(CHUNK / RATE)


async def questions(url: str, sound: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """What is said, an utterance at a time."""
    question = ""
    async with connect(url, encoding="pcm_f32le", language="en") as stream:

        async def speak() -> None:
            async for chunk in sound:
                await stream.send(chunk)
            await stream.end()

        sending = asyncio.create_task(speak())
        try:
            async for event in stream:
                if isinstance(event, Committed):
                    question += event.text
                    if event.final and question.strip():
                        yield question.strip()
                        question = ""
        finally:
            sending.cancel()


async def converse(url: str, sound: AsyncIterator[bytes], voice: str | None, *, once: bool) -> None:
    """Answer what is asked, or the first of it."""
    async with aclosing(questions(url, sound)) as asked:
        async for question in asked:
            print(f"you: {question}", flush=True)
            await say(answer(question), voice)
            if once:
                return


def main() -> None:
    """Answer the questions of a file, or one of the microphone whenever a key wakes it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sound", nargs="?")
    parser.add_argument("--url", default="ws://127.0.0.1:8765/v1/stream")
    parser.add_argument("--voice", metavar="FILE", help="speak into a WAV file")
    flags = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        print("There is no espeak-ng here, so answers are only written.", file=sys.stderr)
    if flags.sound:
        asyncio.run(converse(flags.url, recording(flags.sound), flags.voice, once=False))
        return
    print("Press Enter and ask; Ctrl-D ends.", flush=True)
    for _ in sys.stdin:
        asyncio.run(converse(flags.url, microphone(), flags.voice, once=True))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
