"""Both clients against a real server: events in order, and errors that help."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from streamwhisper.client import DEFAULT_URL, StreamClient, StreamEvent, SyncStreamClient, connect
from streamwhisper.client.event_queue import EventQueue
from streamwhisper.errors import ConnectionLostError, ProtocolError, ServerError, SessionError
from streamwhisper.events import Committed, Done, Flushed, Partial
from streamwhisper.protocol import Ack, ErrorMessage, Pong, Ready, Status, encode_server_message
from streamwhisper.recognition import Hypothesis, ModelInfo, RecognitionRequest
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.app import DEFAULT_PORT, STREAM_PATH, Server, ServerOptions

SECOND = bytes(2 * 16000)  # of silence
READY = encode_server_message(Ready("s", "token", "m", 16000), 1)


class Mute:
    """Hears no words in anything."""

    info = ModelInfo("mute", 80, multilingual=False)

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [Hypothesis((), "en", "end_of_text", 1.0, 0.0) for _ in requests]


def serving(recognizer: Any = None, **limits: Any) -> Server:
    return Server(recognizer or Mute(), ServerOptions(port=0, limits=Limits(**limits)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def text_of(events: Sequence[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed))


def pcm(speech: Any, clip: str) -> bytes:
    sound: bytes = (speech.load(speech.clip(clip)) * 32767).astype("<i2").tobytes()
    return sound


async def async_session(
    url: str, sound: bytes, *, chunk: int = 3200, **start: Any
) -> list[StreamEvent]:
    async with connect(url, **start) as stream:
        for at in range(0, len(sound), chunk):
            await stream.send(sound[at : at + chunk])
        await stream.flush("f")
        await stream.ping("p")
        await stream.end()
        return [event async for event in stream]


def sync_session(url: str, sound: bytes, *, chunk: int = 3200, **start: Any) -> list[StreamEvent]:
    with SyncStreamClient(url, **start) as stream:
        for at in range(0, len(sound), chunk):
            stream.send(sound[at : at + chunk])
        stream.flush("f")
        stream.ping("p")
        stream.end()
        return list(stream)


async def sync_session_beside(url: str, sound: bytes, **options: Any) -> list[StreamEvent]:
    return await asyncio.to_thread(sync_session, url, sound, **options)


both = pytest.mark.parametrize("session", [async_session, sync_session_beside])


@both
async def test_speech_becomes_typed_events(session: Any, recognizer: Any, speech: Any) -> None:
    async with serving(recognizer) as server:
        events = await session(server.url, pcm(speech, "librispeech/61-70968-0002"))
    assert "happy life" in text_of(events).lower()
    assert Flushed("f") in events
    assert Pong("p") in events
    assert isinstance(events[-1], Done)
    assert events[-1].audio_seconds == pytest.approx(2.97, abs=0.01)


@both
async def test_the_fields_of_start_are_sent(session: Any, recognizer: Any, speech: Any) -> None:
    sound = speech.load(speech.clip("librispeech/61-70968-0002")).astype("<f4").tobytes()
    async with serving(recognizer) as server:
        events = await session(server.url, sound, encoding="pcm_f32le", partials=False, words=False)
    assert "happy life" in text_of(events).lower()
    assert not any(isinstance(event, Partial) for event in events)
    assert not any(event.words for event in events if isinstance(event, Committed))


async def test_a_vocabulary_may_be_said_while_the_session_runs(
    recognizer: Any, speech: Any
) -> None:
    def dictate(url: str) -> str:
        with SyncStreamClient(url, language="en", vocabulary=("Ada",)) as stream:
            stream.set_vocabulary(["Fitzooth", "Montfichet"])
            stream.send(pcm(speech, "librispeech/61-70968-0011"))
            stream.end()
            return text_of(list(stream))

    async with serving(recognizer) as server:
        assert "Fitzooth to the rear" in await asyncio.to_thread(dictate, server.url)


@both
async def test_sound_may_be_sent_to_the_end_before_anything_is_read(session: Any) -> None:
    async with serving() as server:
        events = await session(server.url, SECOND * 300, chunk=10_000_000)
    assert sum(isinstance(event, Status) for event in events) > 200
    acks = [event.samples for event in events if isinstance(event, Ack)]
    assert acks == sorted(acks)
    assert events[-1] == Done(300.0, 0.0)


@both
async def test_a_session_that_is_not_taken_is_a_server_error(session: Any) -> None:
    async with serving() as server:
        with pytest.raises(ServerError, match='serves "mute"') as caught:
            await session(server.url, SECOND, model="large-v3")
    assert (caught.value.code, caught.value.fatal) == ("unknown_model", True)


@both
async def test_an_error_that_is_not_fatal_is_an_event(session: Any) -> None:
    async with serving() as server:
        events = await session(server.url, SECOND + b"x")
    errors = [event.code for event in events if isinstance(event, ErrorMessage)]
    assert errors == ["audio_format"]
    assert isinstance(events[-1], Done)


@both
async def test_a_full_server_is_a_server_error_that_says_so(session: Any) -> None:
    async with serving(max_sessions=1) as server, connect(server.url):
        with pytest.raises(ServerError, match="All 1 sessions") as caught:
            await session(server.url, SECOND)
    assert caught.value.code == "too_many_sessions"


@both
async def test_a_wrong_path_is_named(session: Any) -> None:
    async with serving() as server:
        with pytest.raises(ConnectionLostError, match=r"404.*The WebSocket is /v1/stream"):
            await session(server.url + "s", SECOND)


@both
async def test_without_a_server_the_error_says_how_to_start_one(session: Any) -> None:
    url = f"ws://127.0.0.1:{free_port()}/v1/stream"
    with pytest.raises(ConnectionLostError, match="Try: streamwhisper serve") as caught:
        await session(url, SECOND)
    assert url in str(caught.value)


@both
async def test_what_is_no_websocket_address_is_named(session: Any) -> None:
    with pytest.raises(ConnectionLostError, match=r"expected an address, e\.g\. ws://"):
        await session("http://127.0.0.1:1/v1/stream", SECOND)


@both
async def test_something_that_is_no_websocket_server_is_named(session: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    mail = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with mail:
        port = mail.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionLostError, match="is it a streamwhisper server"):
            await session(f"ws://127.0.0.1:{port}/", SECOND)


@both
async def test_a_server_that_stops_still_gives_its_text_and_done(
    session: Any, recognizer: Any, speech: Any
) -> None:
    async with serving(recognizer) as server:
        async with connect(server.url, reconnect=None) as stream:
            await stream.send(pcm(speech, "librispeech/61-70968-0002") + SECOND * 2)
            async for event in stream:
                if isinstance(event, Ack) and event.samples >= 4 * 16000:
                    break
            stopping = asyncio.create_task(server.shut_down())
            events = [event async for event in stream]
        await stopping
        assert "life" in text_of(events).lower()
        assert isinstance(events[-1], Done)
        with pytest.raises(ConnectionLostError):
            await session(server.url, SECOND)


async def test_sending_without_ever_reading_is_an_error_and_not_a_full_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamwhisper.client.stream.EventQueue", lambda: EventQueue(100))
    monkeypatch.setattr("streamwhisper.client.stream._UNREAD_TIMEOUT", 0.1)
    async with serving() as server, connect(server.url) as stream:
        for number in range(150):
            await stream.ping(str(number))  # every answer counts, so none can be left out
        with pytest.raises(SessionError, match="iterate over the stream in another task"):
            await stream.send(SECOND * 300)
        await stream.end()  # and what was said is all there
        events = [event async for event in stream]
    assert [e.id for e in events if isinstance(e, Pong)] == [str(n) for n in range(150)]
    assert isinstance(events[-1], Done)


async def test_a_reader_who_is_slow_holds_up_the_sender_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamwhisper.client.stream.EventQueue", lambda: EventQueue(20))
    async with serving() as server, connect(server.url) as stream:

        async def speak() -> None:
            for number in range(60):
                await stream.flush(str(number))
                await stream.send(SECOND)
            await stream.end()

        speaking = asyncio.create_task(speak())
        events = []
        async for event in stream:
            assert len(stream._events._events) < 20 + 10  # and what was on its way
            events.append(event)
            await asyncio.sleep(0)
        await speaking
    assert [e.id for e in events if isinstance(e, Flushed)] == [str(n) for n in range(60)]
    assert events[-1] == Done(60.0, 0.0)


@contextlib.asynccontextmanager
async def scripted(*frames: str | None) -> Any:
    """A server that answers a start with `frames`, and hangs up where one is None."""

    async def talk(websocket: ServerConnection) -> None:
        await websocket.recv()
        for frame in frames:
            if frame is None:
                websocket.transport.abort()
                return
            await websocket.send(frame)
        await websocket.wait_closed()

    async with serve_websockets(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


@both
async def test_a_connection_that_breaks_is_an_error_and_not_an_end(session: Any) -> None:
    async with scripted(READY, encode_server_message(Pong("p"), 2), None) as url:
        with pytest.raises(ConnectionLostError, match="before the session was done"):
            await session(url, b"", reconnect=None)


@both
async def test_a_fatal_error_is_raised_with_its_code(session: Any) -> None:
    error = encode_server_message(ErrorMessage("internal", "it broke", fatal=True), 2)
    async with scripted(READY, error) as url:
        with pytest.raises(ServerError, match="internal: it broke"):
            await session(url, b"")


@both
@pytest.mark.parametrize("frame", ["hello", '{"type": "welcome", "seq": 1}', '{"type": "ready"}'])
async def test_a_server_that_speaks_something_else_is_a_protocol_error(
    session: Any, frame: str
) -> None:
    async with scripted(frame) as url:
        with pytest.raises(ProtocolError):
            await session(url, b"")


async def test_a_mistake_of_the_clients_own_is_raised_and_not_taken_for_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stumble(*_: Any) -> None:
        raise ZeroDivisionError

    async with serving() as server, connect(server.url) as stream:
        monkeypatch.setattr(stream._protocol, "receive", stumble)
        await stream.ping()
        with pytest.raises(ZeroDivisionError):
            await stream.receive()


async def test_ready_says_what_listens() -> None:
    async with serving() as server:
        stream = StreamClient(server.url)
        with pytest.raises(SessionError):
            _ = stream.ready
        with pytest.raises(SessionError):
            await stream.send(SECOND)
        async with stream:
            assert isinstance(stream.ready, Ready)
            assert stream.ready.model == "mute"


async def test_sending_after_the_server_closed_is_a_connection_lost() -> None:
    async with serving() as server, connect(server.url) as stream:
        await stream.end()
        assert [event async for event in stream] == [Done(0.0, 0.0)]
        assert [event async for event in stream] == []
        with pytest.raises(ConnectionLostError):
            await stream.send(SECOND * 3000)


async def test_one_thread_may_send_while_another_reads() -> None:
    async with serving() as server:

        def talk() -> list[StreamEvent]:
            with SyncStreamClient(server.url) as stream:

                def send() -> None:
                    for _ in range(50):
                        stream.send(SECOND)
                    stream.end()

                sender = threading.Thread(target=send)
                sender.start()
                events = list(stream)
                sender.join()
                return events

        assert (await asyncio.to_thread(talk))[-1] == Done(50.0, 0.0)


def test_client_and_server_agree_where_they_meet() -> None:
    assert f"ws://127.0.0.1:{DEFAULT_PORT}{STREAM_PATH}" == DEFAULT_URL
    assert ServerOptions().port == DEFAULT_PORT
