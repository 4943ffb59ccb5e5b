"""Short-lived tokens: requested by other people's clients, each opens one session."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamwhisper.client import connect as connect_native
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server
from tests.support.rest import KEY, STAGE, ask, call, post, serving

KEYED = AccessOptions(keys=(STAGE,))
SECRETS, GRANT = "/v1/realtime/client_secrets", "/v1/auth/grant"
MANUAL = {"audio": {"input": {"turn_detection": None, "transcription": {"language": "en"}}}}


async def requested(server: Server, path: str = GRANT, token: str = KEY, **body: Any) -> Any:
    """The answer to a backend's request."""
    headers = {"Authorization": f"Bearer {token}"}
    return await ask(server, "POST", path, json.dumps(body).encode(), **headers)


async def first(server: Server, path: str, token: str) -> Any:
    """The first message of a WebSocket, or the status of its rejection."""
    url, headers = f"ws://127.0.0.1:{server.port}{path}", {"Authorization": f"Bearer {token}"}
    try:
        async with connect(url, proxy=None, additional_headers=headers) as websocket:
            if path.startswith("/v1/listen"):
                await websocket.send('{"type": "CloseStream"}')
            return json.loads(await websocket.recv())
    except InvalidStatus as error:
        return error.response.status_code


async def test_openais_client_gets_a_secret_whose_session_has_its_settings(recognizer: Any) -> None:
    async with serving(recognizer, access=KEYED) as server:
        secret = {
            "expires_after": {"anchor": "created_at", "seconds": 60},
            "session": {"type": "transcription", **MANUAL},
        }
        (made,) = await call(server, "openai", {"resource": "client_secret", "arguments": secret})
        asked = {"turn_detection": None, "input_audio_format": "g711_ulaw"}
        old = (await requested(server, "/v1/realtime/transcription_sessions", **asked)).json
        created = await first(server, "/v1/realtime", made["value"])
        beta = await first(server, "/v1/realtime", old["client_secret"]["value"])
    assert made["value"].startswith("ek_")
    assert made["session"]["type"] == created["session"]["type"] == "transcription"
    for session in (made["session"], created["session"]):
        assert session["audio"]["input"].get("turn_detection") is None
        assert session["audio"]["input"]["transcription"]["language"] == "en"
    assert old["input_audio_format"] == "g711_ulaw"
    assert beta["session"]["audio"]["input"]["format"]["type"] == "audio/pcmu"


async def test_deepgrams_client_gets_a_token_that_opens_one_stream(recognizer: Any) -> None:
    async with serving(recognizer, access=KEYED) as server:
        (made,) = await call(
            server, "deepgram", {"resource": "grant", "arguments": {"ttl_seconds": 60}}
        )
        path = "/v1/listen?encoding=linear16&sample_rate=16000"
        opened = await first(server, path, made["access_token"])
        again = await first(server, path, made["access_token"])
    assert made["expires_in"] == 60
    assert opened["type"] == "Metadata"
    assert again == 401


async def test_the_native_client_and_a_recording_take_one_as_well(recognizer: Any) -> None:
    async with serving(recognizer, access=KEYED) as server:
        token = (await requested(server)).json["access_token"]
        async with connect_native(server.url, token=token) as client:
            await client.end()
            assert [event async for event in client]
        token = (await requested(server)).json["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answers = [await post(server, b"", headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [400, 401]  # an empty file, then a used token


async def test_a_token_opens_a_session_and_nothing_else(recognizer: Any) -> None:
    async with serving(recognizer, access=KEYED) as server:
        token = (await requested(server)).json["access_token"]
        more = [await requested(server, path, token) for path in (GRANT, SECRETS)]
        metrics = await ask(server, "GET", "/metrics", Authorization=f"Bearer {token}")
        forged = await first(server, "/v1/stream", f"{token[:-4]}AAAA")
        stranger = await requested(server, token="another-key")
    assert [answer.status for answer in (*more, metrics, stranger)] == [403, 403, 403, 401]
    assert forged == 401


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (GRANT, {"ttl_seconds": 4000}, "ttl_seconds is 4000; expected a whole number from 1 to"),
        (SECRETS, {"expires_after": {"seconds": 1}}, "expires_after.seconds is 1; expected"),
        (SECRETS, {"session": {"type": "realtime"}}, "this server only transcribes"),
        (
            SECRETS,
            {"session": {"audio": {"input": {"transcription": {"language": "de"}}}}},
            "only supports English",
        ),
        (SECRETS, {"session": {"instructions": "x" * 3000}}, "does not fit into a token"),
        ("/v1/realtime/transcription_sessions", {"input_audio_format": "mp3"}, "expected one of"),
        ("/v1/realtime/sessions", {}, "this server only transcribes"),
    ],
)
async def test_a_request_that_cannot_be_met_is_refused(
    recognizer: Any, path: str, body: dict[str, Any], said: str
) -> None:
    async with serving(recognizer, access=KEYED) as server:
        answer = await requested(server, path, **body)
    assert answer.status == 400
    assert said in answer.error["message"]


async def test_a_server_without_keys_issues_tokens_as_well(recognizer: Any) -> None:
    async with serving(recognizer) as server:
        session = {"type": "transcription", **MANUAL}
        token = (await requested(server, SECRETS, session=session)).json["value"]
        created = await first(server, "/v1/realtime", token)
    assert created["session"]["audio"]["input"]["turn_detection"] is None


async def test_of_two_handshakes_with_one_token_one_gets_the_session(recognizer: Any) -> None:
    async with serving(recognizer, access=KEYED) as server:
        token = (await requested(server)).json["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        url = f"ws://127.0.0.1:{server.port}/v1/realtime"
        opened, refused = 0, 0

        async def attempt() -> None:
            nonlocal opened, refused
            try:
                async with connect(url, proxy=None, additional_headers=headers) as websocket:
                    message = json.loads(await websocket.recv())
                    while message["type"] == "session.created":
                        message = json.loads(await asyncio.wait_for(websocket.recv(), 1.0))
                    refused += message["type"] == "error"
            except TimeoutError:
                opened += 1
            except (InvalidStatus, ConnectionClosed):
                refused += 1

        await asyncio.gather(*(attempt() for _ in range(4)))
    assert (opened, refused) == (1, 3)
