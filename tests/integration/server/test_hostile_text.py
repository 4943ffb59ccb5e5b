"""Text that is no Unicode, and requests that no client sends: an answer for each, and no harm."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_websocket

from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.logs import configure
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from streamwhisper.server.rest.options import RestOptions
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

HALF = r"en-\ud800"
"""Half of a surrogate pair, as JSON escapes it."""


def serving(**features: Any) -> Server:
    options = ServerOptions(port=0, session=OPTIONS, features=FeatureOptions(**features))
    return Server(ScriptedRecognizer(script()), options)


def connected(server: Server, path: str) -> Any:
    return connect_websocket(f"ws://127.0.0.1:{server.port}{path}", proxy=None, compression=None)


async def answered(port: int, head: bytes) -> bytes:
    """Send a request by hand, and return the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "field",
    ['"language": "%s"', '"languages": ["en", "%s"]', '"vocabulary": ["%s"]', '"model": "%s"'],
)
async def test_a_start_that_is_refused_leaves_its_room_free_and_no_record(
    field: str, tmp_path: Path
) -> None:
    async with serving(recording=RecordingOptions(tmp_path)) as server:
        async with connected(server, "/v1/stream") as websocket:
            await websocket.send('{"type": "start", "publish": "stage", ' + field % HALF + "}")
            error = json.loads(await websocket.recv())
            assert (error["type"], error["code"], error["fatal"]) == ("error", "bad_field", True)
            assert "half of a surrogate pair" in error["message"]
        assert list(tmp_path.iterdir()) == []
        async with connected(server, "/v1/stream") as websocket:
            await websocket.send('{"type": "start", "publish": "stage"}')
            assert json.loads(await websocket.recv())["type"] == "ready"


async def test_a_room_is_free_after_a_session_whose_record_failed_to_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(recording=RecordingOptions(tmp_path)) as server:
        with monkeypatch.context() as broken:
            broken.setattr(server.context.recorder, "open", lambda *_: 1 / 0)
            async with connected(server, "/v1/stream") as websocket:
                await websocket.send('{"type": "start", "publish": "stage"}')
                assert json.loads(await websocket.recv())["code"] == "internal"
        async with connected(server, "/v1/stream") as websocket:
            await websocket.send('{"type": "start", "publish": "stage"}')
            assert json.loads(await websocket.recv())["type"] == "ready"


@pytest.mark.parametrize(
    ("path", "message", "answer"),
    [
        (
            "/v1/listen?encoding=linear16&sample_rate=16000",
            r'{"type": "Configure", "keyterms": ["\ud800"]}',
            "half of a surrogate pair",
        ),
        (
            "/v1/listen?encoding=linear16&sample_rate=16000",
            r'{"type": "Configure", "features": {"\udfff": true}}',
            "half of a surrogate pair",
        ),
        (
            "/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=16000",
            r'{"type": "Configure", "keyterms": ["\ud800"]}',
            "half of a surrogate pair",
        ),
        (
            "/v1/realtime?intent=transcription",
            r'{"type": "session.update", "session": {"include": ["\ud800"]}}',
            "half of a surrogate pair",
        ),
        ("/v1/realtime?intent=transcription", r'{"type": "\ud800"}', "unsupported_event"),
        ("/v1/stream", r'{"type": "ping", "id": "\ud800"}', "half of a surrogate pair"),
    ],
)
async def test_half_of_a_surrogate_pair_is_answered_with_an_error_in_every_dialect(
    path: str, message: str, answer: str
) -> None:
    async with serving() as server, connected(server, path) as websocket:
        if path == "/v1/stream":
            await websocket.send('{"type": "start"}')
        await websocket.send(message)
        async with asyncio.timeout(5):
            while answer not in (text := await websocket.recv(decode=True)):
                assert "ready" in text or "onnected" in text or "created" in text, text
        await websocket.send(bytes(3200))  # the session continues
        await (await websocket.ping())


@pytest.mark.parametrize("name", ["Host", "Origin"])
@pytest.mark.parametrize("rest", [False, True])
async def test_two_headers_that_may_come_once_are_a_bad_request(
    name: str, rest: bool, caplog: pytest.LogCaptureFixture
) -> None:
    features = FeatureOptions(rest=RestOptions(port=0))
    async with Server(None, ServerOptions(port=0, features=features)) as server:
        port = server.rest_port if rest else server.port
        assert port is not None
        lines = [f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}"]
        lines.append(next(line for line in lines if line.startswith(name)))
        path = "/v1/models" if rest else "/v1/stream"
        answer = await answered(port, "\r\n".join([f"GET {path} HTTP/1.1", *lines]).encode())
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert not [record for record in caplog.records if record.exc_info]


async def test_control_characters_in_an_address_do_not_reach_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        configure("text", "info")
        async with serving() as server:
            lines = [
                b"GET /\x1b]0;owned\x07\r2026-01-01,INFO HTTP/1.1",
                b"Host: 127.0.0.1:%d" % server.port,
                b"Origin: https://elsewhere.example",
            ]
            answer = await answered(server.port, b"\r\n".join(lines))
    finally:
        root.handlers, root.level = handlers, level
    logged = capsys.readouterr().err
    assert b" 403 " in answer.partition(b"\r\n")[0]
    assert r"rejected /\u001b]0;owned\u0007\u000d2026-01-01" in logged
    assert all(character.isprintable() or character == "\n" for character in logged)
    assert "Traceback" not in logged
