"""What a server measures of itself: what operators ask for, in a bounded number of series."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import InvalidHandshake, InvalidStatus

from streamwhisper.client import connect
from streamwhisper.errors import ServerError
from streamwhisper.events import Committed
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from tests.support.handshakes import get, handshake, transcript
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

KEY = "correct-horse-battery"


def serving(**options: Any) -> Server:
    return Server(ScriptedRecognizer(script()), ServerOptions(port=0, session=OPTIONS, **options))


async def measured(server: Server, query: str = "") -> dict[tuple[str, tuple[str, ...]], float]:
    """All series, by their names and labels, as Prometheus reads them."""
    status, page = await get(server, f"/metrics{query}")
    assert status == 200
    return {
        (sample.name.removeprefix("streamwhisper_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def test_a_session_shows_in_every_figure_that_it_changes() -> None:
    words = 0
    async with serving() as server:
        async with connect(server.url) as stream:
            assert (await measured(server))["open_sessions", ()] == 1
            await stream.send(script().pcm)
            await stream.end()
            async for event in stream:
                words += len(event.words) if isinstance(event, Committed) else 0
        with pytest.raises(ServerError):
            async with connect(server.url, encoding="mp3"):
                pass
        found = await measured(server)
    seconds = len(script().sound) / 16000
    assert words == len(script().starts)
    assert found["sessions_closed_total", ("done",)] == 1
    assert found["sessions_closed_total", ("client_error",)] == 1
    assert found["errors_total", ("unknown_encoding",)] == 1
    assert found["session_seconds_count", ()] == 2
    assert found["audio_seconds_total", ()] == pytest.approx(seconds, abs=0.001)
    assert found["commit_lag_seconds_count", ()] == words
    assert 0 < found["commit_lag_seconds_sum", ()] < words * seconds
    answers = found["request_seconds_count", ("final",)] + sum(
        value
        for (name, label), value in found.items()
        if (name, label) == ("request_seconds_count", ("partial",))
    )
    assert found["lag_seconds_count", ()] == answers
    assert found["encoder_calls_total", ()] == found["batch_size_sum", ()] >= answers > 0
    assert found["batch_seconds_count", ()] == found["batch_size_count", ()] > 0
    for nothing in ("requests_replaced_total", "viewers_dropped_total", "request_errors_total"):
        assert found[nothing, ()] >= 0
    for still in ("open_sessions", "waiting_requests", "longest_lag_seconds", "viewers"):
        assert found[still, ()] == 0


async def mischief(server: Server) -> None:
    """Whatever a client can choose freely, chosen anew each time."""
    word = secrets.token_hex(8)
    for path in (f"/{word}", f"/v1/watch/{word}", f"/v1/watch/%{word}", f"/{word}.js"):
        await get(server, path)
    with contextlib.suppress(InvalidStatus):
        await handshake(server, f"?token={word}")
    with contextlib.suppress(InvalidHandshake):
        await handshake(server, Origin=f"https://{word}.example")
    for frame in (
        word,
        f'{{"type": "{word}"}}',
        f'{{"type": "start", "encoding": "{word}"}}',
        f'{{"type": "start", "model": "{word}"}}',
        f'{{"type": "start", "language": "{word}"}}',
        f'{{"type": "start", "resume": "{word}"}}',
        f'{{"type": "start", "publish": "{word}/"}}',
        f'{{"type": "start", "{word}": "{word}", "sample_rate": "{word}"}}',
    ):
        async with connect_websocket(f"{server.url}?token={KEY}", proxy=None) as websocket:
            await websocket.send(frame)
            await websocket.wait_closed()
    async with connect_websocket(f"{server.url}?token={KEY}", proxy=None) as websocket:
        await websocket.send(f'{{"type": "start", "publish": "{word}", "language": "en"}}')
        await websocket.send(f'{{"type": "flush", "id": "{word}"}}')
        await websocket.close(3000 + int(word, 16) % 1000, word)
    async with connect(server.url, token=KEY, publish=word, vocabulary=(word,)) as stream:
        await transcript(stream, script(6.0).pcm)


async def test_nothing_that_a_client_chooses_becomes_a_series() -> None:
    access = AccessOptions((Key.of("stage", KEY),))
    async with serving(access=access) as server:
        await mischief(server)
        before = set(await measured(server, f"?token={KEY}"))
        for _ in range(5):
            await mischief(server)
        assert set(await measured(server, f"?token={KEY}")) == before
    assert len(before) < 200


async def test_connections_are_counted_by_what_they_speak() -> None:
    async with serving() as server:
        for path in ("/v1/listen", "/v1/listen", "/v1/stream"):
            url = f"ws://127.0.0.1:{server.port}{path}"
            async with connect_websocket(url, proxy=None):
                pass
        figures = await measured(server)
    assert figures["connections_total", ("/v1/listen",)] == 2
    assert figures["connections_total", ("/v1/stream",)] == 1
