"""A real server under pressure: whatever some clients do, the others get their text."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.robustness.pressure import half_a_frame, idle, unread
from streamwhisper.client import StreamEvent, connect
from streamwhisper.events import Committed, Done
from tests.support.processes import ServerProcess

IDLE = 1000
QUEUE = 2  # requests that may wait; more sessions than that are at work at once
SERVE = f"""
import sys
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.app import ServerOptions
from streamwhisper.server.run import run

recognizer = LocalRecognizer.load(sys.argv[1], LocalOptions(threads=1))
recognizer.warm_up()
options = ServerOptions(
    port=0,
    limits=Limits(max_sessions={IDLE + 100}, send_timeout=1.0, resume_timeout=0.0),
    scheduler=SchedulerOptions(max_batch=1, max_waiting={QUEUE}),
)
run(recognizer, options, ready=lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="module")
def server(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 2 * IDLE:
        pytest.skip(f"{most} files may be open; {2 * IDLE} are needed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, 2 * IDLE), most))
    log = tmp_path_factory.mktemp("pressure") / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tiny_en_path)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        running = ServerProcess(process, process.stdout.readline().strip(), log)
        yield running
        assert running.stop() == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def life(speech: Any) -> bytes:
    """Three seconds of speech about a happy life."""
    return pcm(speech, "librispeech/61-70968-0002")


def pcm(speech: Any, clip: str) -> bytes:
    sound: bytes = (speech.load(speech.clip(clip)) * 32767).astype("<i2").tobytes()
    return sound


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed)).lower()


async def dictate(server: ServerProcess, sound: bytes) -> list[StreamEvent]:
    """What a well-behaved client is told."""
    async with connect(server.url, reconnect=None) as stream:
        for at in range(0, len(sound), 3200):
            await stream.send(sound[at : at + 3200])
        await stream.end()
        return [event async for event in stream]


async def assert_others_are_heard(server: ServerProcess, life: bytes) -> None:
    for events in await asyncio.gather(*(dictate(server, life) for _ in range(3))):
        assert "happy life" in text_of(events)
        assert isinstance(events[-1], Done)


async def until_metric(server: ServerProcess, name: str, value: float) -> None:
    async with asyncio.timeout(60):
        while await asyncio.to_thread(server.metric, f"streamwhisper_{name}") != value:
            await asyncio.sleep(0.05)


async def test_a_client_that_does_not_read_is_cut_off(server: ServerProcess, life: bytes) -> None:
    async with unread(server.url):
        await assert_others_are_heard(server, life)
        await until_metric(server, "open_sessions", 0)


async def test_a_client_that_floods_is_slowed_down_and_loses_nothing(
    server: ServerProcess, speech: Any, life: bytes
) -> None:
    before = server.watched.memory_info().rss
    minute = life * 20  # one, sent as fast as the server reads
    flood = asyncio.create_task(dictate(server, minute))
    await assert_others_are_heard(server, life)
    assert not flood.done()
    events = await flood
    assert isinstance(events[-1], Done)
    assert events[-1].audio_seconds == pytest.approx(len(minute) / 32000, abs=0.001)
    assert text_of(events).count("life") >= 17
    assert server.watched.memory_info().rss - before < 200e6


async def test_a_client_that_stops_in_the_middle_of_a_frame_holds_up_nobody(
    server: ServerProcess, life: bytes
) -> None:
    async with half_a_frame(server.url):
        await assert_others_are_heard(server, life)
    await until_metric(server, "open_sessions", 0)


async def test_a_thousand_idle_connections_leave_room_for_whoever_speaks(
    server: ServerProcess, life: bytes
) -> None:
    before = server.watched.memory_info().rss
    files = server.watched.num_fds()
    async with idle(server.url, IDLE):
        await until_metric(server, "open_sessions", IDLE)
        await assert_others_are_heard(server, life)
        assert server.watched.memory_info().rss - before < IDLE * 500e3
    await until_metric(server, "open_sessions", 0)
    assert server.watched.num_fds() <= files + 5


async def test_a_full_queue_lets_everybody_have_their_turn(
    server: ServerProcess, life: bytes
) -> None:
    for events in await asyncio.gather(*(dictate(server, life) for _ in range(6 * QUEUE))):
        assert "happy life" in text_of(events)
