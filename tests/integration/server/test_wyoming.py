"""Wyoming over real sockets: limits, bad input, clients that vanish or do not read, the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamwhisper.client import connect
from streamwhisper.events import Committed
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from streamwhisper.server.wyoming.options import WyomingOptions
from tests.support.recognizers import Counter, Held, one_by_one, overload
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script
from tests.support.wyoming_dialogue import Answer, chunks, event, joined, kinds, only, utterance

STOP = event("audio-stop")
TEXT = script(20.0).text


@pytest.fixture(scope="module")
def event_loop_policy() -> Any:
    """The event loop that servers run on."""
    if sys.platform == "win32":
        return asyncio.DefaultEventLoopPolicy()
    import uvloop

    return uvloop.EventLoopPolicy()


class Client:
    """A socket, and a bare reader of events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def next(self) -> Answer | None:
        """The next event; None when the server has closed."""
        async with asyncio.timeout(30):
            if not (line := await self.reader.readline()):
                return None
            header = json.loads(line)
            data = await self.reader.readexactly(header.get("data_length", 0))
        return header["type"], json.loads(data or "{}")

    async def until(self, kind: str) -> list[Answer]:
        """Events up to one of this kind."""
        found: list[Answer] = []
        while not found or found[-1][0] != kind:
            answer = await self.next()
            assert answer is not None, f"closed after {found}"
            found.append(answer)
        return found

    async def rest(self) -> list[Answer]:
        """Events up to the end of the connection."""
        found = []
        while (answer := await self.next()) is not None:
            found.append(answer)
        return found

    def cut(self) -> None:
        """Vanish, without a word to the other side but a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def serving(recognizer: Any = None, **more: Any) -> AsyncIterator[Server]:
    limits = Limits(**more.pop("limits", {}))
    wyoming = WyomingOptions(0, **more.pop("wyoming", {}))
    features = FeatureOptions(recording=more.pop("recording", None), wyoming=wyoming)
    options = ServerOptions(port=0, session=OPTIONS, limits=limits, features=features, **more)
    async with Server(recognizer or ScriptedRecognizer(script(20.0)), options) as server:
        try:
            yield server
        finally:
            if isinstance(recognizer, Counter):
                recognizer.gate.set()


@contextlib.asynccontextmanager
async def client(server: Server) -> AsyncIterator[Client]:
    assert server._wyoming is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", server._wyoming.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def metric(server: Server, name: str, **labels: str) -> float:
    return server.context.metrics.registry.get_sample_value(f"streamwhisper_{name}", labels) or 0.0


async def nobody(server: Server) -> None:
    """Wait until no session is open."""
    async with asyncio.timeout(20):
        await server.context.connections._empty.wait()
    assert server.context.access.open_sessions == 0


async def test_utterances_of_one_connection_have_their_transcripts_and_are_counted() -> None:
    async with serving() as server, client(server) as home:
        for number in (1, 2):
            await home.say(*utterance(), STOP)
            answers = await home.until("transcript-stop")
            assert only(answers, "transcript")["text"] == joined(answers) == TEXT
            assert metric(server, "sessions_closed_total", outcome="done") == number
        assert metric(server, "audio_seconds_total") == pytest.approx(40, abs=0.1)
        assert metric(server, "connections_total", path="wyoming") == 1
        assert metric(server, "commit_lag_seconds_count") > 0


async def test_text_is_there_before_the_sound_is_over() -> None:
    async with serving() as server, client(server) as home:
        await home.say(*utterance())
        await home.until("transcript-chunk")
        await home.say(STOP)
        await home.until("transcript")


async def test_sound_that_ends_with_the_connection_is_heard_out() -> None:
    async with serving() as server, client(server) as home:
        await home.say(*utterance())
        home.writer.write_eof()
        answers = await home.rest()
        assert only(answers, "transcript")["text"] == TEXT
        await nobody(server)


async def test_a_connection_that_is_cut_leaves_its_text_in_the_record_and_others_alone(
    tmp_path: Path,
) -> None:
    recording = RecordingOptions(tmp_path)
    async with serving(recording=recording) as server, client(server) as other:
        await other.say(*utterance())
        async with client(server) as home:
            await home.say(*utterance())
            async with asyncio.timeout(20):
                while metric(server, "audio_seconds_total") < 39.9:
                    await asyncio.sleep(0.01)
            home.cut()
        await other.say(STOP)
        assert only(await other.until("transcript"), "transcript")["text"] == TEXT
    for path in tmp_path.glob("*.jsonl"):
        lines = map(json.loads, path.read_text().splitlines())
        said = "".join(line["text"] for line in lines if line["type"] == "committed")
        assert said.strip() == TEXT
        assert ".part" not in path.name


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad_json"),
        (bytes(100_000), "message_too_big"),
        (b'{"type": "ping", "data_length": 99999}\n', "message_too_big"),
        (b'{"type": "audio-chunk", "payload_length": 9999999}\n', "message_too_big"),
        (event("audio-start", rate=16000, width=9, channels=1), "audio_format"),
    ],
)
async def test_garbage_is_answered_by_an_error_and_the_end(sent: bytes, code: str) -> None:
    async with serving() as server, client(server) as home:
        await home.say(sent)
        ((kind, data),) = await home.rest()
        assert (kind, data["code"]) == ("error", code)
        assert metric(server, "errors_total", code=code) == 1


async def test_an_error_reaches_who_goes_on_sending() -> None:
    async with serving() as server, client(server) as home:
        await home.say(b"nonsense\n", *utterance(), STOP)
        assert kinds(await home.rest()) == ["error"]


async def test_who_says_nothing_is_told_so_and_leaves_its_place() -> None:
    limits = {"start_timeout": 0.1, "idle_timeout": 0.2}
    async with serving(limits=limits) as server:
        async with client(server) as silent:
            await silent.say(b'{"type": ')
            assert only(await silent.rest(), "error")["code"] == "start_timeout"
        async with client(server) as home:
            await home.say(*utterance())
            answers = await home.rest()
            assert only(answers, "transcript")["text"] == TEXT
            assert kinds(answers)[-1] == "error"
            assert answers[-1][1]["code"] == "idle_timeout"
        await nobody(server)


async def test_places_are_those_of_all_clients() -> None:
    async with serving(limits={"max_sessions": 1}) as server:
        async with connect(server.url) as stream:
            async with client(server) as home:
                await home.say(event("describe"))
                refused = only(await home.rest(), "error")
                assert refused["code"] == "too_many_sessions"
                assert "All 1 sessions of this server are in use" in refused["text"]
            await stream.end()
        await nobody(server)
        async with client(server) as home:
            await home.say(event("describe"))
            assert kinds(await home.until("info")) == ["info"]


async def test_places_of_an_address_are_counted() -> None:
    async with serving(limits={"max_sessions_per_address": 1}) as server, client(server) as one:
        await one.say(event("ping"))
        await one.until("pong")
        async with client(server) as two:
            assert only(await two.rest(), "error")["code"] == "too_many_sessions"


async def test_keys_are_not_asked_for_and_the_default_quota_applies() -> None:
    access = AccessOptions((Key.of("a", "b"),), quota=Quota(session_seconds=4.0))
    async with serving(access=access) as server, client(server) as home:
        await home.say(*utterance())
        answers = await home.rest()
        text = only(answers, "transcript")["text"]
        assert text
        assert TEXT.startswith(text)
        assert only(answers, "error")["code"] == "session_too_long"


async def test_sound_comes_no_faster_than_is_allowed() -> None:
    access = AccessOptions(quota=Quota(audio_rate=2.0, audio_burst=1.0))
    async with serving(access=access) as server, client(server) as home:
        await home.say(*chunks(script(20.0).pcm[: 5 * 32000]), STOP)
        text = only(await home.until("transcript"), "transcript")["text"]
        assert text
        assert TEXT.startswith(text)
        assert metric(server, "audio_held_seconds_total") > 0


async def test_a_server_without_time_says_so() -> None:
    busy = Held()
    async with (
        one_by_one(
            busy, max_wait=0.05, features=FeatureOptions(wyoming=WyomingOptions(0))
        ) as server,
        connect(server.url) as one,
        connect(server.url) as two,
        client(server) as home,
    ):
        await overload(server, busy, one, two)
        await home.say(*utterance())
        assert only(await home.rest(), "error")["code"] == "overloaded"
        busy.gate.set()


async def test_a_recognizer_that_fails_is_owned_up_to() -> None:
    async with serving(Counter(failures=99)) as server, client(server) as home:
        await home.say(*utterance(), STOP)
        assert only(await home.rest(), "error")["code"] == "recognition_failed"


async def test_a_full_session_pauses_its_client_and_nothing_is_lost() -> None:
    held = Held()
    held.gate.clear()
    pcm = script().pcm
    async with serving(held) as server, client(server) as home:
        sending = asyncio.create_task(home.say(*chunks(pcm), STOP))
        async with asyncio.timeout(20):
            while metric(server, "audio_seconds_total") < 4:
                await asyncio.sleep(0.01)
        for _ in range(200):
            await asyncio.sleep(0)
        # At the most: what the first request covers, then a full inbox, each and a piece.
        assert metric(server, "audio_seconds_total") < 11
        held.gate.set()
        await sending
        assert only(await home.until("transcript"), "transcript")["text"] == script().text
        assert metric(server, "audio_seconds_total") == pytest.approx(len(pcm) / 32000, abs=0.01)


async def test_who_reads_nothing_of_what_it_asks_for_is_dropped() -> None:
    async with serving(limits={"send_timeout": 0.5}) as server, client(server) as home:
        await home.say(event("ping"))
        await home.until("pong")
        home.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):  # far more than the system keeps for both sides
            await home.say(*([event("ping", text="x" * 60_000)] * 1000))
        await nobody(server)


async def test_a_server_that_stops_hears_the_command_out_and_tells_its_transcript() -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving())
        home = await stack.enter_async_context(client(server))
        idle = await stack.enter_async_context(client(server))
        await idle.say(event("ping"))
        await idle.until("pong")
        half = len(utterance()) // 2
        await home.say(*utterance()[:half])
        await home.until("transcript-chunk")
        stopping = asyncio.create_task(server.shut_down())
        assert await idle.rest() == []
        await home.say(*utterance()[half:], STOP)
        answers = await home.rest()
        assert kinds(answers)[-2:] == ["transcript", "transcript-stop"]
        assert only(answers, "transcript")["text"] == TEXT
        home.writer.close()
        idle.writer.close()
        await stopping
        assert metric(server, "sessions_closed_total", outcome="shut_down") == 1


async def test_a_server_that_stops_does_not_wait_for_ever() -> None:
    async with serving(limits={"drain_timeout": 0.1}) as server, client(server) as home:
        await home.say(*utterance())
        await home.until("transcript-chunk")
        stopping = asyncio.create_task(server.shut_down())
        answers = await home.rest()
        text = only(answers, "transcript")["text"]
        assert text
        assert TEXT.startswith(text)
        home.writer.close()
        await stopping


async def test_before_the_model_is_there_clients_wait_or_are_told() -> None:
    limits = Limits(handshake_timeout=0.5)
    options = ServerOptions(
        port=0, session=OPTIONS, limits=limits, features=FeatureOptions(wyoming=WyomingOptions(0))
    )
    async with Server(None, options) as server:
        async with client(server) as home:
            assert only(await home.rest(), "error")["code"] == "loading"
        async with client(server) as home:
            await home.say(event("describe"))
            server.open(ScriptedRecognizer(script(20.0)), SchedulerOptions())
            await home.until("info")


async def test_a_port_that_is_taken_is_named() -> None:
    async with serving() as server:
        assert server._wyoming is not None
        taken = replace(
            server.options, features=FeatureOptions(wyoming=WyomingOptions(server._wyoming.port))
        )
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{server._wyoming.port}: the port is in"):
            async with Server(ScriptedRecognizer(script(20.0)), replace(taken, port=0)):
                pass


async def test_both_protocols_say_the_same_of_the_same_sound() -> None:
    async with serving() as server:
        async with connect(server.url) as stream:
            await stream.send(script(20.0).pcm)
            await stream.end()
            native = "".join([e.text async for e in stream if isinstance(e, Committed)])
        async with client(server) as home:
            await home.say(event("audio-start"), *chunks(script(20.0).pcm), STOP)
            assert only(await home.until("transcript"), "transcript")["text"] == native.strip()
