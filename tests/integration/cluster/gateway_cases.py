"""Gateways before a Ray cluster, behind a real HAProxy; run by test_cluster.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from ray.cluster_utils import Cluster

from streamwhisper.client import Reconnection, StreamEvent, connect, trust_anything
from streamwhisper.cluster.deployment import remove
from streamwhisper.cluster.worker import WorkerOptions
from streamwhisper.events import Committed, Partial
from tests.support.paths import SAMPLE
from tests.support.processes import ServerProcess, serving
from tests.support.proxies import get, proxied
from tests.support.ray_cluster import NAME, SOUND
from tests.support.transcripts import compare, repeats, text_of

PCM = (SOUND * 32767).astype("<i2").tobytes()
CHUNK = 3200  # bytes: 0.1 s
SPEED = 2.0  # of speaking
QUICK = Reconnection(first_delay=0.02, longest_delay=0.2)


@contextlib.contextmanager
def gateway(cluster: Cluster, folder: Path, name: str, *flags: str) -> Iterator[ServerProcess]:
    """``streamwhisper serve --engine ray``, without a model of its own."""
    flags = (
        "--engine",
        "ray",
        "--address",
        cluster.address,
        "--trusted-proxy",
        "127.0.0.1",
        *flags,
    )
    with serving(Path(NAME), folder / f"{name}.log", *flags) as process:
        yield process


@pytest.fixture
def gateways(
    cluster: Cluster, model: WorkerOptions, tmp_path: Path
) -> Iterator[list[ServerProcess]]:
    with gateway(cluster, tmp_path, "one") as one, gateway(cluster, tmp_path, "two") as two:
        yield [one, two]


def port_of(server: ServerProcess) -> int:
    return int(server.url.split(":")[2].split("/")[0])


@contextlib.asynccontextmanager
async def entrance(folder: Path, gateways: list[ServerProcess]) -> AsyncIterator[str]:
    """HAProxy with the file in deploy/; where clients go."""
    async with proxied("haproxy", folder, [port_of(server) for server in gateways]) as port:
        yield f"wss://127.0.0.1:{port}/v1/stream"


async def dictate(url: str, disturb: Any = None) -> list[StreamEvent]:
    """Speak; halfway through, something happens."""
    async with connect(url, tls=trust_anything(), reconnect=QUICK) as stream:

        async def speak() -> None:
            clock = asyncio.get_running_loop().time
            began = clock()
            for at in range(0, len(PCM), CHUNK):
                await stream.send(PCM[at : at + CHUNK])
                if disturb is not None and at == len(PCM) // 2 // CHUNK * CHUNK:
                    await asyncio.to_thread(disturb)
                await asyncio.sleep(max(0.0, began + at / 32000 / SPEED - clock()))
            await stream.end()

        speaking = asyncio.create_task(speak())
        events = [event async for event in stream]
        await speaking
        return events


def busy(gateways: list[ServerProcess]) -> ServerProcess:
    """The one that has the session."""
    [found] = [server for server in gateways if server.metric("streamwhisper_open_sessions")]
    return found


def same_words(one: str, other: str) -> bool:
    """But for how a word is heard where a session begins anew in the midst of a sentence."""
    changes = compare(one, other)
    missing = changes.deletions + changes.insertions
    return missing <= 1 and changes.substitutions <= 2 and repeats(one) == repeats(other)


@pytest.mark.parametrize("way", ["killed", "stopped"])
async def test_a_gateway_ends_in_mid_speech_and_its_client_goes_on_at_the_other(
    way: str, gateways: list[ServerProcess], tmp_path: Path, expected: str
) -> None:
    async with entrance(tmp_path, gateways) as url:

        def end() -> None:
            if way == "killed":
                busy(gateways).kill()
            else:
                assert busy(gateways).stop() == 0

        events = await dictate(url, end)
        assert same_words(expected, text_of(events)), text_of(events)
        port = int(url.split(":")[2].split("/")[0])
        assert await get(port, "/readyz") == (200, "ready\n")


async def test_metrics_tell_of_the_cluster(gateways: list[ServerProcess]) -> None:
    async with connect(gateways[0].url) as stream:
        await stream.send(PCM[:96000])
        await stream.end()
        assert [event async for event in stream if isinstance(event, Partial | Committed)]
    assert gateways[0].metric("streamwhisper_cluster_workers") >= 1
    assert gateways[0].metric("streamwhisper_cluster_requests_failed") == 0


def test_a_gateway_transcribes_recordings(
    cluster: Cluster, model: WorkerOptions, recognizer: Any, tmp_path: Path
) -> None:
    with gateway(cluster, tmp_path, "rest", "--rest-port", "0") as server:
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/v1", server.log.read_text())[0])
        connection = HTTPConnection("127.0.0.1", port)
        connection.request(
            "POST", "/v1/listen", SAMPLE.read_bytes(), {"Content-Type": "audio/flac"}
        )
        found = json.loads(connection.getresponse().read())
        connection.close()
        assert server.stop() == 0
    [alternative] = found["results"]["channels"][0]["alternatives"]
    assert alternative["transcript"] == str(recognizer.transcribe(SAMPLE, best_of=5))


async def test_without_workers_a_gateway_is_not_ready_and_says_so(
    gateways: list[ServerProcess],
) -> None:
    """The last of these tests: it takes the model away."""
    await asyncio.to_thread(remove, NAME)
    answer = ""
    while not answer.startswith("503"):
        answer = await asyncio.to_thread(readiness, gateways[0])
        await asyncio.sleep(0.1)
    assert "no worker of the cluster is available" in answer


def readiness(server: ServerProcess) -> str:
    """The status and the body of /readyz."""
    try:
        return f"200 {server.get('/readyz')}"
    except HTTPError as error:
        return f"{error.code} {error.read().decode()}"
