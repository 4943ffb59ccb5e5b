"""A server whose model is still loading: its port is open, and those who come lose nothing."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from streamwhisper.client import Reconnection, connect
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.recognition import Figure, ModelInfo, RemoteState
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.sessions.startup import Loading
from tests.support.command import START
from tests.support.handshakes import get, handshake, refused, transcript, until
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

SHORT = script(6.0)
RECOGNIZER = ScriptedRecognizer(SHORT)


def closed(**limits: Any) -> Server:
    """A server without a model."""
    return Server(None, ServerOptions(port=0, session=OPTIONS, limits=Limits(**limits)))


def open_up(server: Server) -> None:
    server.open(RECOGNIZER, SchedulerOptions())


async def test_it_lives_at_once_and_is_ready_once_it_can_listen() -> None:
    async with closed() as server:
        assert await get(server, "/healthz") == (200, "ok\n")
        status, why = await get(server, "/readyz")
        assert (status, why.partition(":")[0]) == (503, "not ready")
        assert "loading its model" in why
        assert "streamwhisper_ready 0.0" in (await get(server, "/metrics"))[1]
        open_up(server)
        assert await get(server, "/readyz") == (200, "ready\n")
        assert "streamwhisper_ready 1.0" in (await get(server, "/metrics"))[1]


class Elsewhere(ScriptedRecognizer):
    """One that can be out of reach."""

    wait = cost = 0.0
    idle = 1.0
    obstacle: str | None = None

    @property
    def remote(self) -> RemoteState:
        return self

    def figures(self) -> list[Figure]:
        return [Figure("cluster_workers", "How many there are.", lambda: 7)]


async def test_while_a_recognizer_elsewhere_is_out_of_reach_nobody_is_let_in() -> None:
    recognizer = Elsewhere(SHORT)
    async with closed() as server:
        server.open(recognizer, SchedulerOptions())
        assert "streamwhisper_cluster_workers 7.0" in (await get(server, "/metrics"))[1]
        recognizer.obstacle = "no worker answers"
        assert await get(server, "/readyz") == (
            503,
            "not ready: no worker answers; try again in 5 s\n",
        )
        code, body, _ = await refused(handshake(server))
        assert (code, body["code"]) == (503, "no_workers")
        recognizer.obstacle = None
        assert await get(server, "/readyz") == (200, "ready\n")
        async with connect(server.url) as stream:
            assert await transcript(stream, SHORT.pcm) == SHORT.text


async def test_the_model_is_the_one_that_listens_now() -> None:
    recognizer = Elsewhere(SHORT)
    async with closed() as server:
        server.open(recognizer, SchedulerOptions())
        assert "Model: scripted" in (await get(server, "/"))[1]
        recognizer.info = ModelInfo("swapped", 80, multilingual=False)
        assert "Model: swapped" in (await get(server, "/"))[1]


async def test_who_comes_meanwhile_waits_and_is_heard_from_the_first_word_on() -> None:
    async with closed() as server:

        async def dictate() -> str:
            async with connect(server.url) as stream:
                return await transcript(stream, SHORT.pcm)

        dictating = [asyncio.create_task(dictate()) for _ in range(3)]
        page = asyncio.create_task(get(server, "/"))
        await until(lambda: server.context.startup.waiting == 4)
        open_up(server)
        assert await asyncio.gather(*dictating) == [SHORT.text] * 3
        assert (await page)[0] == 200


async def test_who_has_waited_long_enough_is_told_when_to_come_again() -> None:
    async with closed(handshake_timeout=0.1) as server:
        status, body, headers = await refused(handshake(server))
        assert (status, body["code"], body["retry_after"]) == (503, "loading", 5)
        assert headers["Retry-After"] == "5"
        assert "loading its model" in body["message"]


async def test_no_more_wait_than_will_find_a_place() -> None:
    async with closed(max_sessions=1) as server:
        waiting = asyncio.create_task(handshake(server))
        await until(lambda: server.context.startup.waiting == 1)
        assert (await refused(handshake(server)))[1]["code"] == "loading"  # at once
        open_up(server)
        await waiting


async def test_who_waits_is_told_at_once_when_the_server_stops_instead() -> None:
    async with closed(handshake_timeout=600) as server:
        waiting = asyncio.create_task(refused(handshake(server)))
        await until(lambda: server.context.startup.waiting == 1)
        await server.shut_down()
        status, body, _ = await waiting
        assert (status, body["code"]) == (503, "shutting_down")


async def test_a_client_that_was_cut_off_comes_back_to_a_server_that_loads_again() -> None:
    options = ServerOptions(port=0, session=OPTIONS, limits=Limits(handshake_timeout=0.1))
    patient = Reconnection(first_delay=0.02, longest_delay=0.05)
    async with Server(RECOGNIZER, options) as first:
        stream = await connect(first.url, reconnect=patient).__aenter__()
        await stream.send(SHORT.pcm)
        port = first.port
    async with Server(None, ServerOptions(port=port, session=OPTIONS)) as second:
        await until(lambda: second.context.startup.waiting == 1)
        open_up(second)
        assert await transcript(stream, b"") == SHORT.text
        await stream.__aexit__(None, None, None)


async def test_a_load_that_fails_says_why() -> None:
    def load() -> Any:
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        await Loading(load).begin()


async def test_loading_is_over_only_when_its_thread_is() -> None:
    gate = threading.Event()

    def load() -> Any:
        gate.wait(120)
        return RECOGNIZER, SchedulerOptions()

    loading = Loading(load)
    loaded = loading.begin()
    loaded.cancel()
    assert loading.under_way
    gate.set()
    await until(lambda: not loading.under_way)


async def command(*arguments: str) -> tuple[asyncio.subprocess.Process, int]:
    """A server's process, and the port that it says it has opened."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", START, "serve", "--port", "0", "--log-format", "json"),
        *arguments,
        stdout=pipe,
        stderr=pipe,
    )
    assert process.stderr is not None
    said = json.loads(await process.stderr.readline())["message"]
    found = re.fullmatch(r"port (\d+) is open; loading the model", said)
    assert found is not None, said
    return process, int(found[1])


async def test_the_command_takes_sound_as_soon_as_its_port_is_open(
    tiny_en_path: Any, speech: Any
) -> None:
    patient = ["--handshake-timeout", "600"]  # of which a share goes to waiting for the model
    process, port = await command("--model", str(tiny_en_path), "--threads", "1", *patient)
    try:
        sound = (speech.load(speech.clip("librispeech/61-70968-0002")) * 32767).astype("<i2")
        url = f"ws://127.0.0.1:{port}/v1/stream"
        async with connect(url, open_timeout=300) as stream:
            assert "happy life" in (await transcript(stream, sound.tobytes())).lower()
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode() for _ in range(2)]
        assert lines == [
            f"Listening on {url}\n",
            f"Captions in a browser: http://127.0.0.1:{port}/\n",
        ]
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_who_is_asked_to_stop_while_it_loads_does(
    tiny_en_path: Any, sign: signal.Signals
) -> None:
    process, _ = await command("--model", str(tiny_en_path))
    process.send_signal(sign)
    said, log = await process.communicate()
    assert (process.returncode, said) == (0, b"")
    assert b"shutting down" in log


async def test_a_model_that_cannot_be_loaded_ends_the_command(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(b"weights")
    process, _ = await command("--model", str(damaged))
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"damaged.pt" in said
    assert b"Traceback" not in said
