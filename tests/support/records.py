"""Recordings of sessions, and clients whose sessions are recorded."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from streamwhisper.client import StreamEvent, connect
from streamwhisper.events import Committed
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from tests.support.processes import ServerProcess
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

CHUNK = 3200  # bytes: 0.1 s


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def committed_text(path: Path) -> str:
    return "".join(line["text"] for line in lines(path) if line["type"] == "committed")


def shown(path: Path) -> list[str]:
    """The text of every cue; the file is read as the format says."""
    body = path.read_text().removeprefix("WEBVTT\n\n")
    cues = body.split("\n\n")[:-1]
    clock = r"\d\d:\d\d:\d\d[.,]\d{3}"
    for number, cue in enumerate(cues, 1):
        assert re.fullmatch(rf"{number}\n{clock} --> {clock}\n(?s:.+)", cue), cue
    return [cue.split("\n", 2)[2].replace("\n", " ") for cue in cues]


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


async def dictate(url: str, pcm: bytes, speed: float) -> list[StreamEvent]:
    async with connect(url) as stream, asyncio.TaskGroup() as tasks:

        async def speak() -> None:
            for at in range(0, len(pcm), CHUNK):
                await stream.send(pcm[at : at + CHUNK])
                await asyncio.sleep(CHUNK / 32000 / speed)
            await stream.end()

        tasks.create_task(speak())
        return [event async for event in stream]


def said(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed))


async def heard_until_killed(server: ServerProcess, pcm: bytes, words: int) -> list[StreamEvent]:
    """Speak to the server, and kill it once it has committed so many words."""
    events: list[StreamEvent] = []
    async with connect(server.url, reconnect=None) as stream:

        async def speak() -> None:
            for at in range(0, len(pcm), CHUNK):
                await stream.send(pcm[at : at + CHUNK])
                await asyncio.sleep(0.03)

        speaking = asyncio.create_task(speak())
        while len(said(events).split()) < words:
            event = await stream.receive()
            assert event is not None
            events.append(event)
        await asyncio.to_thread(server.kill)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    return events


def recording(folder: Path, **options: Any) -> Server:
    return Server(
        ScriptedRecognizer(script()),
        ServerOptions(
            port=0,
            session=OPTIONS,
            features=FeatureOptions(recording=RecordingOptions(folder, **options)),
        ),
    )
