"""The Realtime dialect over real sockets: keys, limits, pressure, and what comes of a cut."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from tests.support.realtime import COMMIT, append, check, completed, pcm, types, update
from tests.support.scripted import OPTIONS, RATE, Script, ScriptedRecognizer, script

KEY = "sk-4f0c6a1e77b2"
SCRIPT = script(20.0)
LONG = 15 << 20  # bytes of audio: minutes
MANUAL = update(format=pcm(RATE), turn_detection=None)


class Held(ScriptedRecognizer):
    """Hears the script, but only while its gate is open."""

    def __init__(self) -> None:
        after = np.zeros(10 * RATE, np.float32)  # a window may reach into the silence behind it
        super().__init__(Script(np.concatenate([SCRIPT.sound, after]), SCRIPT.starts))
        self.gate = threading.Event()

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        self.gate.wait(120)
        return super().recognize(requests)


def serving(recognizer: Any = None, **options: Any) -> Server:
    return Server(
        recognizer or ScriptedRecognizer(SCRIPT), ServerOptions(port=0, session=OPTIONS, **options)
    )


@asynccontextmanager
async def session(server: Server, **how: Any) -> AsyncIterator[Any]:
    """A connection that was told its session."""
    url = f"ws://127.0.0.1:{server.port}/v1/realtime?intent=transcription"
    async with connect(url, proxy=None, max_size=None, **how) as websocket:
        assert (await told(websocket))["type"] == "session.created"
        yield websocket


async def told(websocket: Any) -> Any:
    return json.loads(await websocket.recv())


async def until(websocket: Any, type: str) -> list[Any]:
    events = [await told(websocket)]
    while events[-1]["type"] != type:
        events.append(await told(websocket))
    return events


async def rest(websocket: Any) -> tuple[list[Any], Any]:
    """What else the server says, and how it closes."""
    events = []
    try:
        while True:
            events.append(await told(websocket))
    except ConnectionClosed as closed:
        return events, closed.rcvd


def offered(key: str) -> list[Subprotocol]:
    return [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}")]


async def test_a_browser_brings_its_key_as_a_subprotocol() -> None:
    access = AccessOptions(keys=(Key.of("test", KEY),))
    async with serving(access=access) as server:
        async with session(server, subprotocols=offered(KEY)) as websocket:
            assert websocket.subprotocol == "realtime"
        with pytest.raises(InvalidStatus, match="401") as refused:
            async with session(server, subprotocols=offered("sk-wrong")):
                pass
        error = json.loads(refused.value.response.body or b"")["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "unauthorized")


async def test_one_event_may_carry_as_much_sound_as_the_server_allows() -> None:
    async with (
        serving(limits=Limits(max_message_bytes=32 << 20)) as server,
        session(server) as websocket,
    ):
        await websocket.send(json.dumps(MANUAL))
        await websocket.send(json.dumps(append(bytes(LONG))))
        await websocket.send(json.dumps(COMMIT))
        events = await until(websocket, "conversation.item.input_audio_transcription.completed")
        assert events[-1]["usage"]["seconds"] == pytest.approx(LONG / 2 / RATE)


async def test_an_event_beyond_the_limit_of_messages_closes_the_connection() -> None:
    async with serving() as server, session(server) as websocket:
        await websocket.send(json.dumps(append(bytes(1 << 20))))
        _, close = await rest(websocket)
        assert close.code == 1009


async def test_an_event_without_sound_is_as_short_as_in_every_protocol() -> None:
    async with serving() as server, session(server) as websocket:
        await websocket.send(json.dumps({"type": "session.update", "session": {"a": "x" * 70_000}}))
        events, close = await rest(websocket)
        assert events[-1]["error"]["code"] == "message_too_big"
        assert close.code == 1009


async def test_a_session_that_lasts_too_long_is_told_and_its_text_completed() -> None:
    access = AccessOptions(quota=Quota(session_seconds=6.0))
    async with serving(access=access) as server, session(server) as websocket:
        await websocket.send(json.dumps(MANUAL))
        for at in range(0, 8 * 2 * RATE, RATE):
            await websocket.send(json.dumps(append(SCRIPT.pcm[at : at + RATE])))
        events, close = await rest(websocket)
        check(events)
        assert completed(events)[-1]["transcript"]
        assert events[-1]["error"]["code"] == "session_too_long"
        assert close.code == 1008


async def test_whoever_is_silent_for_too_long_is_left_without_an_error() -> None:
    async with serving(limits=Limits(idle_timeout=0.2)) as server, session(server) as websocket:
        events, close = await rest(websocket)
        assert events == []
        assert (close.code, close.reason) == (1008, "idle_timeout")


async def test_a_server_that_stops_completes_what_was_sent_before_it_closes() -> None:
    async with serving() as server, session(server) as websocket:
        await websocket.send(json.dumps(MANUAL))
        for at in range(0, len(SCRIPT.pcm), RATE):
            await websocket.send(json.dumps(append(SCRIPT.pcm[at : at + RATE])))
        stopping = asyncio.create_task(server.shut_down())
        events, close = await rest(websocket)
        await stopping
        check(events)
        assert [event["transcript"] for event in completed(events)] == [SCRIPT.text]
        assert close.code == 1001


async def test_sound_that_outruns_the_recognizer_waits_at_the_client_and_none_is_lost() -> None:
    held = Held()
    async with serving(held) as server, session(server) as websocket:
        await websocket.send(json.dumps(MANUAL))
        sound = SCRIPT.pcm + bytes(11 * len(SCRIPT.pcm))

        async def send() -> None:
            for at in range(0, len(sound), 12_800):
                await websocket.send(json.dumps(append(sound[at : at + 12_800])))
            await websocket.send(json.dumps(COMMIT))

        sending = asyncio.create_task(send())
        (connection,) = server.context.connections._open
        while connection.lag < 4 or connection._buffers_freed.is_set():  # until the reader waits
            await asyncio.sleep(0.01)
        assert connection.lag < len(sound) / 2 / RATE / 2
        assert not sending.done()
        held.gate.set()
        await sending
        events = await until(websocket, "conversation.item.input_audio_transcription.completed")
        assert events[-1]["usage"]["seconds"] == pytest.approx(len(sound) / 2 / RATE, abs=0.01)
        assert events[-1]["transcript"] == SCRIPT.text
        check(events)


async def test_a_client_that_is_cut_off_leaves_nothing_behind() -> None:
    async with serving() as server:
        async with session(server) as websocket:
            await websocket.send(json.dumps(append(SCRIPT.pcm[: 5 * 2 * RATE])))
            await until(websocket, "input_audio_buffer.speech_started")
            websocket.transport.abort()
        while server.context.connections._open:
            await asyncio.sleep(0.01)
        value = server.context.metrics.registry.get_sample_value
        assert value("streamwhisper_open_sessions") == 0
        async with session(server) as websocket:
            await websocket.send(json.dumps(COMMIT))
            assert types(await until(websocket, "conversation.item.done"))


async def test_sound_may_also_come_in_binary_frames() -> None:
    async with serving() as server, session(server) as websocket:
        await websocket.send(json.dumps(MANUAL))
        await websocket.send(SCRIPT.pcm)
        await websocket.send(json.dumps(COMMIT))
        events = await until(websocket, "conversation.item.input_audio_transcription.completed")
        assert events[-1]["transcript"] == SCRIPT.text


async def test_one_session_with_long_events_does_not_hold_up_another() -> None:
    """The event loop goes on while sound of minutes is taken out of its frame."""
    limits = Limits(max_message_bytes=32 << 20)
    async with serving(limits=limits) as server, session(server) as busy, session(server) as other:
        long = base64.b64encode(bytes(LONG)).decode()
        await busy.send(json.dumps({"type": "input_audio_buffer.append", "audio": long}))
        await other.send(json.dumps(MANUAL))
        assert (await told(other))["type"] == "session.updated"
