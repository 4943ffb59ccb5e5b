"""LiveKit's Deepgram plugin on its own: two recordings, each asked for before silence follows.

Run with the interpreter of an environment that has the plugin: URL KEY SOUND.wav SOUND.wav. Prints
one JSON object for each event of speech: its type, its text, and its words with their times.
"""

from __future__ import annotations

import asyncio
import json
import sys
import wave

from livekit import rtc
from livekit.agents import utils
from livekit.agents.stt import SpeechEvent, SpeechEventType, SpeechStream
from livekit.plugins import deepgram

FRAME = 800  # samples


def push(stream: SpeechStream, path: str) -> None:
    with wave.open(path) as file:
        rate = file.getframerate()
        while sound := file.readframes(FRAME):
            stream.push_frame(rtc.AudioFrame(sound, rate, 1, len(sound) // 2))


def show(event: SpeechEvent) -> None:
    best = event.alternatives[0] if event.alternatives else None
    words = [[str(word), word.start_time, word.end_time] for word in (best and best.words) or []]
    print(json.dumps([event.type, best.text if best else "", words]), flush=True)


async def main(url: str, key: str, first: str, second: str) -> None:
    async with utils.http_context.open():
        stream = deepgram.STT(base_url=f"{url}/v1/listen", api_key=key).stream()
        push(stream, first)
        stream.flush()
        async for event in stream:
            show(event)
            if event.type == SpeechEventType.END_OF_SPEECH:
                break
        push(stream, second)
        stream.end_input()
        async for event in stream:
            show(event)


asyncio.run(main(*sys.argv[1:]))
