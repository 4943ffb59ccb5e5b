"""Run with the reference implementation of Wyoming: says what the server answers, as JSON.

python wyoming_client.py URI '{"wav": FILE, "transcribe": {...}, …}'
"""

from __future__ import annotations

import asyncio
import json
import sys
import wave
from dataclasses import asdict
from typing import Any

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioChunkConverter, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

KINDS = (Info, Pong, Error, TranscriptStart, TranscriptChunk, Transcript, TranscriptStop)
CHUNK = 1024  # samples, as Home Assistant sends them

Answers = list[tuple[str, dict[str, Any]]]


def plain(event: Event) -> tuple[str, dict[str, Any]]:
    """An answer by its own class, all of whose fields are read."""
    (kind,) = [kind for kind in KINDS if kind.is_type(event.type)]
    return event.type, asdict(kind.from_event(event))


async def answers(client: AsyncClient, last: str) -> Answers:
    """What comes, up to an event of this type, an error or the end."""
    found: Answers = []
    while (event := await client.read_event()) is not None:
        found.append(plain(event))
        if event.type in (last, "error"):
            break
    return found


def sound(wav: str, format: dict[str, int]) -> list[AudioChunk]:
    """A file in chunks of this format."""
    convert = AudioChunkConverter(**format).convert
    with wave.open(wav) as file:
        shape = (file.getframerate(), file.getsampwidth(), file.getnchannels())
        pieces = iter(lambda: file.readframes(CHUNK), b"")
        return [convert(AudioChunk(*shape, audio=piece)) for piece in pieces]


async def send(client: AsyncClient, chunks: list[AudioChunk], pace: float) -> None:
    first = chunks[0]
    await client.write_event(AudioStart(first.rate, first.width, first.channels).event())
    for chunk in chunks:
        await client.write_event(chunk.event())
        await asyncio.sleep(pace * chunk.seconds)
    await client.write_event(AudioStop().event())


async def main(uri: str, what: dict[str, Any]) -> Answers:
    found: Answers = []
    last = what.get("last", "transcript-stop")
    async with AsyncClient.from_uri(uri) as client:
        if what.get("describe"):
            await client.write_event(Describe().event())
            found += await answers(client, "info")
        if "ping" in what:
            await client.write_event(Ping(what["ping"]).event())
            found += await answers(client, "pong")
        for wav in what.get("wavs", []):
            await client.write_event(Transcribe(**what.get("transcribe", {})).event())
            sending = send(client, sound(wav, what.get("format", {})), what.get("pace", 0.0))
            if what.get("meanwhile"):
                task = asyncio.create_task(sending)
                found += await answers(client, last)
                task.cancel()
            else:
                await sending
                found += await answers(client, last)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))))
