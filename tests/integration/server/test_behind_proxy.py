"""Real proxies with the files in deploy/, a real server behind them, and real speech."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect as connect_websocket

from streamwhisper.audio.files import read_audio
from streamwhisper.client import Reconnection, connect, trust_anything
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.access.proxies import parse_network
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.rest.options import RestOptions
from tests.support.handshakes import transcript
from tests.support.paths import SAMPLE
from tests.support.proxies import get, proxied
from tests.support.rest import form
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script
from tests.support.transcripts import letters

PUBLIC = "https://captions.example"


def serving(recognizer: Any, rest: RestOptions | None = None, **limits: Any) -> Server:
    access = AccessOptions(origins=(PUBLIC,), proxies=(parse_network("127.0.0.1"),))
    limited = Limits(**limits)
    options = ServerOptions(
        port=0, access=access, limits=limited, session=OPTIONS, features=FeatureOptions(rest=rest)
    )
    return Server(recognizer, options)


def opened_from(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The addresses in the log, of sessions as they began."""
    return [
        record.__dict__["figures"]["address"]
        for record in caplog.records
        if record.getMessage().endswith(": opened")
    ]


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
async def test_speech_goes_through_and_the_client_is_known_by_its_own_address(
    kind: str, recognizer: Any, speech: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sound = (speech.load(speech.clip("librispeech/61-70968-0002")) * 32767).astype("<i2").tobytes()
    async with (
        serving(recognizer, max_sessions_per_address=1) as server,
        proxied(kind, tmp_path, [server.port]) as port,
    ):
        url = f"wss://127.0.0.1:{port}/v1/stream"
        async with connect(url, tls=trust_anything()) as stream:
            assert "happy life" in (await transcript(stream, sound)).lower()
        for page, shown in (("/", "<title>"), ("/readyz", "ready")):
            status, body = await get(port, page)
            assert (status, shown in body) == (200, True)
        assert (await get(port, "/metrics"))[0] == 403
        # Two neighbours of the proxy on this machine; one pretends to be somebody else each time.
        async with contextlib.AsyncExitStack() as stack:
            for address in ("127.0.0.2", "127.0.0.3"):
                websocket = await stack.enter_async_context(
                    connect_websocket(
                        f"{url}?token=secret",
                        proxy=None,
                        ssl=trust_anything(),
                        local_addr=(address, 0),
                        additional_headers={"X-Forwarded-For": "203.0.113.9"},
                    )
                )
                await websocket.send('{"type": "start"}')
                await websocket.recv()
    assert opened_from(caplog) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    said = "".join(file.read_text() for file in tmp_path.glob("*log"))
    assert "/v1/stream" in said
    assert "secret" not in said


async def recording(port: int, path: str, body: bytes, kind: str) -> tuple[int, Any]:
    """The status and the JSON of the answer to a recording, over TLS."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust_anything())
    lines = [f"POST {path} HTTP/1.1", "Host: captions.example", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    begin, end = answer.index(b"{"), answer.rindex(b"}")
    return int(answer.split()[1]), json.loads(answer[begin : end + 1])


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
async def test_recordings_and_sessions_come_through_one_port(
    kind: str, recognizer: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sound = SAMPLE.read_bytes()
    # More than nginx takes by itself.
    large = np.concatenate([read_audio(SAMPLE)[:80_000], np.zeros(1_000_000, np.float32)])
    async with (
        serving(recognizer, RestOptions()) as server,
        proxied(kind, tmp_path, [server.port], server.rest_port or 0) as port,
    ):
        status, openai = await recording(port, "/v1/audio/transcriptions", *form(sound))
        assert status == 200
        raw = (large * 32767).astype("<i2").tobytes()
        path = "/v1/listen?encoding=linear16"
        status, deepgram = await recording(port, path, raw, "application/octet-stream")
        assert status == 200
        async with connect(f"wss://127.0.0.1:{port}/v1/stream", tls=trust_anything()) as stream:
            pcm = (read_audio(SAMPLE) * 32767).astype("<i2").tobytes()
            live = await transcript(stream, pcm)
        status, listed = await get(port, "/v1/models")
        assert (status, "whisper-1" in listed) == (200, True)
        assert "<title>" in (await get(port, "/"))[1]
    assert letters(openai["text"]) == letters(live)
    assert deepgram["metadata"]["duration"] == pytest.approx(len(large) / 16000, abs=0.01)
    addresses = {
        record.__dict__["figures"]["address"]
        for record in caplog.records
        if record.getMessage().startswith("request ")
    }
    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
async def test_two_servers_are_stopped_one_after_the_other_and_no_word_is_lost(
    kind: str, tmp_path: Path
) -> None:
    heard = ScriptedRecognizer(script())  # which tells each word from every other
    half = len(script().pcm) // 64 * 32
    quick = Reconnection(first_delay=0.02, longest_delay=0.2)
    async with (
        serving(heard) as one,
        serving(heard) as two,
        proxied(kind, tmp_path, [one.port, two.port]) as port,
        connect(
            f"wss://127.0.0.1:{port}/v1/stream", tls=trust_anything(), reconnect=quick
        ) as stream,
    ):
        await stream.send(script().pcm[:half])
        [first] = [server for server in (one, two) if server.context.access.open_sessions]
        await first.shut_down()
        assert await get(port, "/readyz") == (200, "ready\n")
        assert await transcript(stream, script().pcm[half:]) == script().text
