"""The real server, killed in mid-speech again and again: the transcript has every word once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper.client import Reconnection, StreamEvent, connect
from streamwhisper.events import Committed, Done
from tests.support.transcripts import compare, repeats, text_of

DEATHS = 10
SPEED = 3.0  # of speaking
CHUNK = 3200  # bytes: 0.1 s
QUICK = Reconnection(first_delay=0.02, longest_delay=0.2)
# It loads the model and then waits for its turn, so that the port is not without a server long.
SERVE = """
import sys
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.server.app import ServerOptions
from streamwhisper.server.run import run

recognizer = LocalRecognizer.load(sys.argv[1], LocalOptions(dtype="float32", threads=1))
print("loaded", flush=True)
sys.stdin.readline()
run(recognizer, ServerOptions(port=int(sys.argv[2])), ready=lambda url: print(url, flush=True))
"""


class Process:
    """A server that has loaded its model, and serves when it is told to."""

    def __init__(self, model: Path, port: int) -> None:
        self._command = (sys.executable, "-c", SERVE, str(model), str(port))
        self._process: asyncio.subprocess.Process | None = None

    async def load(self) -> Process:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        assert await self._line() == "loaded"
        return self

    async def serve(self) -> str:
        """Begin to serve; where."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self._line()

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


class Mortal:
    """Servers on one port, one after another; the next one is always loaded."""

    def __init__(self, model: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._model = model
        self._present: Process | None = None
        self._next: asyncio.Task[Process] | None = None
        self.url = ""

    async def replace(self) -> None:
        """Kill the server that there is, and start another."""
        self._next = self._next or self._loading()
        following = await self._next
        if self._present is not None:
            await self._present.kill()
        self._present, self._next = following, None
        self.url = await following.serve()

    def prepare(self) -> None:
        self._next = self._loading()

    def _loading(self) -> asyncio.Task[Process]:
        return asyncio.create_task(Process(self._model, self._port).load())

    async def end(self) -> None:
        if self._next is not None:
            await (await self._next).kill()
        if self._present is not None:
            await self._present.kill()


@contextlib.asynccontextmanager
async def serving(model: Path) -> AsyncIterator[Mortal]:
    servers = Mortal(model)
    try:
        await servers.replace()
        yield servers
    finally:
        await servers.end()


async def dictate(servers: Mortal, sound: bytes, deaths: list[int]) -> list[StreamEvent]:
    """Speak, and have the server killed once so many bytes are spoken."""
    async with connect(servers.url, reconnect=QUICK) as stream:

        async def speak() -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            due = list(deaths)
            if due:
                servers.prepare()
            for at in range(0, len(sound), CHUNK):
                await stream.send(sound[at : at + CHUNK])
                if due and at >= due[0]:
                    due.pop(0)
                    held = loop.time()
                    await servers.replace()
                    began += loop.time() - held
                    if due:
                        servers.prepare()
                await asyncio.sleep(began + at / 32000 / SPEED - loop.time())
            await stream.end()

        speaking = asyncio.create_task(speak())
        events = [event async for event in stream]
        await speaking
        return events


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
async def test_a_server_killed_ten_times_in_mid_speech_loses_and_repeats_no_word(
    tiny_en_path: Path, speech: Any
) -> None:
    clips = speech.clips("ls-dev")[:10]
    pause = np.zeros(4800, np.float32)
    sound = np.concatenate([part for clip in clips for part in (speech.load(clip), pause)])
    pcm = (sound * 32767).astype("<i2").tobytes()
    said = " ".join(clip["text"] for clip in clips)
    chance = random.Random(0)
    slot = len(pcm) // (DEATHS + 1)
    deaths = [slot * number + chance.randrange(slot // 2, slot) for number in range(DEATHS)]
    async with serving(tiny_en_path) as servers:
        whole = await dictate(servers, pcm, [])
        cut = await dictate(servers, pcm, deaths)
    # A word may be heard otherwise where a session begins in the midst of a sentence.
    changes = compare(text_of(whole), text_of(cut))
    assert changes.deletions + changes.insertions <= 5, text_of(cut)
    assert changes.substitutions <= 8, text_of(cut)
    assert compare(said, text_of(cut)).total <= compare(said, text_of(whole)).total + 4
    assert repeats(text_of(cut)) == repeats(text_of(whole))
    finals = [event.utterance for event in cut if isinstance(event, Committed) and event.final]
    assert finals == list(range(len(finals)))
    assert isinstance(cut[-1], Done)
    assert cut[-1].audio_seconds == pytest.approx(len(sound) / 16000, abs=0.001)
