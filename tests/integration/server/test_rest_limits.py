"""Recordings over HTTP keep to the server's keys and limits, and harm nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
import uvicorn

from streamwhisper.audio.files import read_audio, write_wav
from streamwhisper.client import connect
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.open_files import Newcomers
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.rest.listener import _with_timeouts
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.transcription import parts
from tests.support.handshakes import handshake, refused, transcript
from tests.support.paths import SAMPLE
from tests.support.rest import (
    KEY,
    STAGE,
    TRANSCRIPTIONS,
    ask,
    form,
    measured,
    post,
    serving,
)
from tests.support.transcripts import letters

SOUND = SAMPLE.read_bytes()
BEARER = {"Authorization": f"Bearer {KEY}"}
RAW = "/v1/listen?encoding=linear16"


@pytest.fixture(scope="module")
def pcm() -> bytes:
    """Ten seconds of speech."""
    return bytes((read_audio(SAMPLE)[:160_000] * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def long() -> bytes:
    """Two minutes, in six chunks."""
    return bytes((np.tile(read_audio(SAMPLE), 6) * 32767).astype("<i2").tobytes())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.005)


def under_way(server: Server) -> int:
    assert server._rest is not None
    return server._rest._service.transcriber.recordings


@contextlib.asynccontextmanager
async def busy(server: Server, sound: bytes) -> AsyncIterator[None]:
    """While a recording is transcribed, for a client that leaves then."""
    _, writer = await connection(server)
    lines = f"Content-Length: {len(sound)}", *(f"{name}: {key}" for name, key in BEARER.items())
    writer.write(head(RAW, *lines) + sound)
    await until(lambda: under_way(server) == 1)
    yield
    assert under_way(server) == 1
    writer.close()
    await until(lambda: server.context.access.open_sessions == 0)


async def connection(
    server: Server,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.rest_port)


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


# Size and time.


@pytest.mark.parametrize("declared", [True, False])
async def test_an_upload_that_is_too_large_is_refused_and_its_sender_hears_so(
    recognizer: Any, declared: bool
) -> None:
    body, kind = form(bytes(3_000_000))
    length = f"Content-Length: {len(body)}" if declared else "Transfer-Encoding: chunked"
    wire = body if declared else f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    async with serving(recognizer, RestOptions(max_upload_bytes=100_000)) as server:
        reader, writer = await connection(server)
        writer.write(head(TRANSCRIPTIONS, f"Content-Type: {kind}", length) + wire)
        status, rest = (await reader.readuntil(b"\r\n\r\n")).split()[1], reader
        error = json.loads(await rest.readuntil(b"}}"))["error"]
        writer.close()
    assert (status, error["code"], error["param"]) == (b"413", "upload_too_large", "file")
    assert "more than 100000 bytes" in error["message"]


async def test_an_upload_that_takes_too_long_is_refused(recognizer: Any) -> None:
    async with serving(recognizer, RestOptions(upload_timeout=0.2)) as server:
        reader, writer = await connection(server)
        writer.write(head(RAW, "Content-Length: 1000") + bytes(10))
        answer = await reader.readuntil(b"}")
        writer.close()
    assert answer.split()[1] == b"408"
    assert b"UPLOAD_TIMEOUT" in answer


async def test_an_upload_that_hardly_moves_is_refused(
    recognizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamwhisper.server.rest.body._GRACE", 0.3)
    async with serving(recognizer) as server:
        reader, writer = await connection(server)
        writer.write(head(RAW, "Content-Length: 1000") + bytes(10))
        answer = await reader.readuntil(b"}")
        writer.close()
    assert answer.split()[1] == b"408"
    assert b"10 bytes" in answer


async def test_slow_uploads_of_one_address_leave_places_for_others(recognizer: Any) -> None:
    rest, limits = RestOptions(max_uploads_per_address=2), Limits(max_sessions=4)
    async with serving(recognizer, rest, limits=limits) as server:
        slow = [await connection(server) for _ in range(2)]
        for _, writer in slow:
            writer.write(head(RAW, "Content-Length: 1000") + b"R")
        await until(lambda: server.context.access.open_sessions == 2)
        refused = await ask(server, "POST", RAW, bytes(100))
        assert refused.status == 429
        assert b"TOO_MANY_UPLOADS" in refused.body
        async with connect(server.url):
            pass
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.rest_port, local_addr=("127.0.0.2", 0)
        )
        writer.write(head(RAW, "Content-Length: 32000") + bytes(32000))
        assert b"200" in await reader.readline()
        for _, other in [*slow, (reader, writer)]:
            other.close()


async def test_who_never_ends_a_request_is_dropped(recognizer: Any) -> None:
    async with serving(recognizer, limits=Limits(handshake_timeout=0.2)) as server:
        for wire in (b"", b"POST /v1/listen HTTP/1.1\r\nHost: a"):
            reader, writer = await connection(server)
            writer.write(wire)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        # A second request on the same connection has its time as well.
        reader, writer = await connection(server)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"ok" in await reader.readuntil(b"ok\n")
        writer.write(b"GET /heal")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_who_does_not_read_is_dropped() -> None:
    gone = asyncio.Event()

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        message = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()
        gone.set()

    config = uvicorn.Config(
        flood,
        http=_with_timeouts(Limits(send_timeout=0.2), Newcomers(10)),
        ws="none",
        lifespan="off",
        log_config=None,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await gone.wait()
        writer.close()
        await server.shutdown(sockets=[listener])


async def test_a_recording_lasts_no_longer_than_the_server_and_the_key_allow(
    recognizer: Any, pcm: bytes
) -> None:
    short = Key.of("short", KEY, Quota(session_seconds=3))
    async with serving(
        recognizer, RestOptions(max_seconds=6), AccessOptions(keys=(short, Key.of("b", "b" * 20)))
    ) as server:
        other = {"Authorization": f"Bearer {'b' * 20}"}
        answers = [await ask(server, "POST", RAW, pcm, **key) for key in (BEARER, other)]
        fits = await ask(server, "POST", RAW, pcm[: 2 * 32000], **BEARER)
    assert [answer.status for answer in answers] == [413, 413]
    said = [answer.json["err_msg"] for answer in answers]
    assert ["longer than 3 s" in said[0], "longer than 6 s" in said[1]] == [True, True]
    assert fits.status == 200


# Who may come in.


async def test_keys_are_wanted_in_the_form_that_each_client_expects(recognizer: Any) -> None:
    async with serving(recognizer, access=AccessOptions(keys=(STAGE,))) as server:
        openai = await post(server, SOUND)
        deepgram = await ask(server, "POST", RAW, SOUND)
        models = await ask(server, "GET", "/v1/models")
        metrics = await ask(server, "GET", "/metrics")
        health = [(await ask(server, "GET", path)).status for path in ("/healthz", "/readyz")]
        known = [
            await ask(server, "GET", "/v1/models", Authorization=f"{scheme} {KEY}")
            for scheme in ("Bearer", "Token")
        ]
    assert [a.status for a in (openai, deepgram, models, metrics)] == [401] * 4
    assert openai.error["code"] == models.error["code"] == "invalid_api_key"
    assert deepgram.json["err_code"] == "INVALID_AUTH"
    assert "Bearer" in openai.headers["www-authenticate"]
    assert health == [200, 200]
    assert [answer.status for answer in known] == [200, 200]


async def test_a_page_of_others_is_refused_unless_it_is_named(recognizer: Any) -> None:
    page = {"Origin": "https://pages.example"}
    async with serving(recognizer) as server:
        elsewhere = await post(server, SOUND, page)
        other_name = await ask(server, "GET", "/v1/models", Host="pages.example")
    assert (elsewhere.status, elsewhere.error["code"]) == (403, "forbidden_origin")
    assert (other_name.status, other_name.error["code"]) == (403, "forbidden_host")
    async with serving(
        recognizer, access=AccessOptions(origins=("https://pages.example",))
    ) as server:
        asked = {"Access-Control-Request-Method": "POST", **page}
        before = await ask(server, "OPTIONS", TRANSCRIPTIONS, **asked)
        listed = await ask(server, "GET", "/v1/models", **page)
    for answer in (before, listed):
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "https://pages.example"


async def test_a_request_takes_a_place_of_its_key_and_of_the_server(
    recognizer: Any, pcm: bytes, long: bytes
) -> None:
    one = Key.of("one", KEY, Quota(sessions=1))
    access = AccessOptions(keys=(one, Key.of("b", "b" * 20)))
    async with serving(recognizer, access=access, limits=Limits(max_sessions=1)) as server:
        async with busy(server, long):
            full = await ask(server, "POST", RAW, pcm, Authorization=f"Token {'b' * 20}")
            status, said, _ = await refused(handshake(server, f"?token={KEY}"))
            assert (status, said["code"]) == (503, "too_many_sessions")
            ready = await ask(server, "GET", "/readyz")
        assert (full.status, full.headers["retry-after"]) == (503, "5")
        assert full.json["err_code"] == "TOO_MANY_REQUESTS"
        assert ready.status == 503
    async with (
        serving(recognizer, access=access) as server,
        connect(server.url, token=KEY) as stream,
    ):
        second = await post(server, SOUND, BEARER)
        await stream.end()
    assert (second.status, second.error["code"]) == (429, "rate_limit_exceeded")
    assert second.headers["retry-after"] == "5"


async def test_while_the_model_loads_requests_are_told_to_wait() -> None:
    options = ServerOptions(
        port=0, features=FeatureOptions(rest=RestOptions()), limits=Limits(handshake_timeout=0.2)
    )
    async with Server(None, options) as server:
        answers = [await post(server, SOUND), await ask(server, "GET", "/v1/models")]
        health, ready = [await ask(server, "GET", path) for path in ("/healthz", "/readyz")]
    assert [(a.status, a.error["code"]) for a in answers] == [(503, "loading")] * 2
    assert (health.status, ready.status) == (200, 503)
    assert b"loading" in ready.body


# Several at a time.


async def test_recordings_wait_for_their_turn_and_a_session_goes_on_beside_them(
    recognizer: Any, pcm: bytes
) -> None:
    async with serving(recognizer) as server:
        asked = [asyncio.create_task(ask(server, "POST", RAW, pcm)) for _ in range(3)]
        await until(lambda: under_way(server) == 3)
        async with connect(server.url) as stream:
            live = await transcript(stream, pcm)
        answers = [await one for one in asked]
        found = await measured(server)
    texts = {a.json["results"]["channels"][0]["alternatives"][0]["transcript"] for a in answers}
    assert len(texts) == 1
    assert letters(texts.pop()) == letters(live)
    assert len(letters(live)) > 15
    assert found["rest_requests_total", ("listen", "200")] == 3
    assert found["rest_seconds_count", ("listen",)] == 3
    assert found["audio_seconds_total", ()] == pytest.approx(4 * len(pcm) / 32000, abs=0.01)
    assert found["recordings", ()] == found["open_sessions", ()] == 0


async def test_a_client_that_goes_away_is_worked_for_no_longer(
    recognizer: Any, long: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    hear = parts.hear_batch  # type: ignore[attr-defined]
    monkeypatch.setattr(parts, "hear_batch", lambda *args: (heard.append(1), hear(*args))[1])
    async with serving(recognizer) as server:
        _, writer = await connection(server)
        writer.write(head(RAW, f"Content-Length: {len(long)}") + long)
        await until(lambda: len(heard) == 1)
        writer.close()
        await until(lambda: under_way(server) == 0)
        # The only thread is free again.
        assert (await post(server, SOUND)).status == 200
        found = await measured(server)
    assert len(heard) < 5  # of 6, and 1
    assert found["rest_requests_total", ("listen", "499")] == 1
    assert found["open_sessions", ()] == 0


# The end.


async def test_a_server_that_stops_finishes_what_it_can_and_cuts_off_the_rest(
    recognizer: Any, pcm: bytes, long: bytes
) -> None:
    limits = Limits(drain_timeout=0)
    async with serving(recognizer, limits=limits, commit_timeout=60) as server:
        asking = asyncio.create_task(ask(server, "POST", RAW, pcm))
        await until(lambda: under_way(server) == 1)
        stopping = asyncio.create_task(server.shut_down())
        await until(lambda: server.context.access.shutting_down)
        late = await post(server, SOUND)
        await stopping
        assert (await asking).status == 200
    assert (late.status, late.error["code"]) == (503, "shutting_down")
    async with serving(recognizer, limits=limits, commit_timeout=0.05) as server:
        asking = asyncio.create_task(ask(server, "POST", RAW, long))
        await until(lambda: under_way(server) == 1)
        reader, writer = await connection(server)  # in the midst of its upload
        writer.write(head(RAW, "Content-Length: 1000") + bytes(10))
        await until(lambda: server.context.access.open_sessions == 2)
        await server.shut_down()
        cut, half = await asking, await reader.readuntil(b"}")
        writer.close()
    assert (cut.status, cut.json["err_code"]) == (503, "SHUTTING_DOWN")
    assert half.split()[1] == b"503"


async def test_a_stream_that_is_cut_off_says_so_after_what_it_said(
    recognizer: Any, pcm: bytes, tmp_path: Any
) -> None:
    write_wav(tmp_path / "long.wav", np.tile(read_audio(SAMPLE), 4))
    body, kind = form((tmp_path / "long.wav").read_bytes(), stream="true")
    async with serving(recognizer, limits=Limits(drain_timeout=0), commit_timeout=0.05) as server:
        reader, writer = await connection(server)
        lines = f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"
        writer.write(head(TRANSCRIPTIONS, *lines) + body)
        said = await reader.readuntil(b"transcript.text.delta")
        assert said.split()[1] == b"200"
        await server.shut_down()
        rest = await reader.read()
        writer.close()
    assert b"event: error\ndata: " in rest
    assert b"shutting_down" in rest
    assert b"transcript.text.done" not in rest


async def test_a_port_that_is_taken_leaves_nothing_open(recognizer: Any) -> None:
    async with serving(recognizer) as server:
        taken = RestOptions(port=server.rest_port or 0)
        other = serving(recognizer, taken)
        with pytest.raises(OSError, match="the port is in use"):
            await other.__aenter__()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", other.port)


def test_what_is_to_be_installed_is_said() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None; "
        "from streamwhisper.cli.main import main; main()"
    )
    command = [sys.executable, "-c", code, "serve", "--rest-port", "0"]
    plain = {**os.environ, "TERM": "dumb", "COLUMNS": "400"}
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    assert shown.returncode == 2
    assert "starlette" in shown.stderr
    assert "streamwhisper[rest]" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_the_flags_are_the_options() -> None:
    from typer.main import get_command

    from streamwhisper.cli.main import app

    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    default = {option.opts[0].removeprefix("--"): option.default for option in command.params}
    names = ("max-upload-bytes", "max-upload-seconds", "upload-timeout", "transcriptions")
    assert default["rest-port"] is None
    assert RestOptions(0, *(default[name] for name in names)) == RestOptions()
