"""The server over real sockets: limits, bad input, clients that vanish, and shutting down."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from streamwhisper.events import Committed, Done, Flushed, Partial
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.protocol import (
    Ack,
    ErrorMessage,
    Pong,
    Ready,
    ServerMessage,
    Status,
    parse_server_message,
)
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.session.session import Session
from tests.support.recognizers import Counter

START = '{"type": "start"}'
END = '{"type": "end"}'
SECOND = bytes(2 * 16000)  # of silence
SERVE = """
import sys
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.server.app import ServerOptions
from streamwhisper.server.run import run

recognizer = LocalRecognizer.load(sys.argv[1], LocalOptions(dtype="float32", threads=1))
run(recognizer, ServerOptions(port=0), ready=lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="module")
def event_loop_policy() -> Any:
    """The event loop that servers run on."""
    if sys.platform == "win32":
        return asyncio.DefaultEventLoopPolicy()
    import uvloop

    return uvloop.EventLoopPolicy()


@contextlib.asynccontextmanager
async def serving(recognizer: Any, **options: Any) -> AsyncIterator[Server]:
    limits = Limits(**options.pop("limits", {}))
    async with Server(recognizer, ServerOptions(port=0, limits=limits, **options)) as server:
        try:
            yield server
        finally:
            if isinstance(recognizer, Counter):
                recognizer.gate.set()  # or a failed test would wait for it


def connecting(server: Server, **options: Any) -> Any:
    return connect_async(server.url, proxy=None, compression=None, **options)


@contextlib.asynccontextmanager
async def session(server: Server, **options: Any) -> AsyncIterator[ClientConnection]:
    """A connection whose session has started."""
    async with connecting(server, **options) as websocket:
        await websocket.send(START)
        assert isinstance(await receive(websocket), Ready)
        yield websocket


async def receive(websocket: ClientConnection) -> ServerMessage:
    return parse_server_message(await websocket.recv(decode=True))[1]


async def rest(websocket: ClientConnection) -> tuple[list[ServerMessage], int]:
    """What else the server says, and the code it closes with."""
    messages = []
    try:
        while True:
            messages.append(await receive(websocket))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd is not None else 1006


def text_of(messages: Sequence[ServerMessage]) -> str:
    return "".join(message.text for message in messages if isinstance(message, Committed))


def acks(message: ServerMessage, samples: int) -> bool:
    return isinstance(message, Ack) and message.samples == samples


async def get(server: Server, path: str) -> tuple[int, str]:
    """The status and the body of a plain HTTP request."""
    url = f"http://127.0.0.1:{server.port}{path}"

    def fetch() -> tuple[int, str]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(fetch)


async def metric(server: Server, name: str) -> float:
    _, page = await get(server, "/metrics")
    lines = [line for line in page.splitlines() if line.startswith(f"streamwhisper_{name}")]
    return float(lines[0].split()[-1]) if lines else 0.0


async def until_metric(server: Server, name: str, value: float) -> None:
    while await metric(server, name) != value:
        await asyncio.sleep(0.01)


def sessions_in_memory() -> int:
    gc.collect()
    return sum(isinstance(thing, Session) for thing in gc.get_objects())


def pcm(speech: Any, clip: str) -> bytes:
    sound: bytes = (speech.load(speech.clip(clip)) * 32767).astype("<i2").tobytes()
    return sound


async def send_all(websocket: ClientConnection, sound: bytes, chunk: int = 3200) -> None:
    for at in range(0, len(sound), chunk):
        await websocket.send(sound[at : at + chunk])


async def keep_busy(recognizer: Counter, websocket: ClientConnection, sound: bytes) -> None:
    """Have the recognizer hold on to a request of this session until its gate is opened."""
    recognizer.gate.clear()
    await send_all(websocket, sound[:64000])
    while not recognizer.asked:
        await asyncio.sleep(0.01)


async def keep_sending(websocket: ClientConnection, frame: str | bytes) -> None:
    while True:
        await websocket.send(frame)


# Speech in, text out.


async def test_clients_at_the_same_time_each_get_the_text_of_their_own_speech(
    recognizer: Any, speech: Any
) -> None:
    wanted = {
        "librispeech/61-70968-0002": "happy life",
        "librispeech/61-70968-0006": "picture",
        "librispeech/61-70968-0007": "marvels",
    }
    async with serving(recognizer) as server:

        async def dictate(clip: str) -> tuple[list[ServerMessage], int]:
            async with session(server) as websocket:
                await send_all(websocket, pcm(speech, clip))
                await websocket.send(END)
                return await rest(websocket)

        answers = await asyncio.gather(*map(dictate, wanted))
        for (messages, code), words in zip(answers, wanted.values(), strict=True):
            assert words in text_of(messages).lower()
            assert isinstance(messages[-1], Done)
            assert code == 1000
        assert await metric(server, 'sessions_closed_total{outcome="done"}') == 3
        assert await metric(server, "batch_size_count") > 0


async def test_a_client_that_vanishes_frees_its_session_and_harms_nobody(
    recognizer: Any, speech: Any
) -> None:
    sound = pcm(speech, "librispeech/61-70968-0002")
    before = sessions_in_memory()
    async with serving(recognizer, limits={"resume_timeout": 0}) as server:
        async with connecting(server) as gone, session(server) as stays:
            await gone.send(START)
            await send_all(gone, sound)
            await send_all(stays, sound)
            gone.transport.abort()
            await until_metric(server, "open_sessions", 1)
            await stays.send(END)
            messages, code = await rest(stays)
        assert "happy life" in text_of(messages).lower()
        assert code == 1000
        await until_metric(server, "open_sessions", 0)
        assert await metric(server, 'sessions_closed_total{outcome="connection_lost"}') == 1
        assert sessions_in_memory() == before


async def test_flush_commits_while_the_person_speaks_on(recognizer: Any, speech: Any) -> None:
    sound = pcm(speech, "misc-en/jfk")[: 2 * 16000 * 4]
    async with serving(recognizer) as server, session(server) as websocket:
        await send_all(websocket, sound)
        await websocket.send('{"type": "flush", "id": "now"}')
        messages = []
        while not (messages and getattr(messages[-1], "id", None) == "now"):
            messages.append(await receive(websocket))
        assert "fellow americans" in text_of(messages).lower()


# Bad input.


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (SECOND, "no_start"),
        (END, "no_start"),
        ("start", "bad_json"),
        ("[1]", "not_an_object"),
        ('{"type": "begin"}', "unknown_type"),
        ('{"type": "start", "sample_rate": "high"}', "bad_field"),
        ('{"type": "start", "encoding": "mp3"}', "unknown_encoding"),
        ('{"type": "start", "model": "huge"}', "unknown_model"),
        ('{"type": "start", "resume": "token"}', "resume_unknown"),
    ],
)
async def test_bad_input_instead_of_a_start_gets_an_error_and_close_1008(
    frame: str | bytes, error: str
) -> None:
    async with serving(Counter()) as server, connecting(server) as websocket:
        await websocket.send(frame)
        messages, code = await rest(websocket)
        assert [(m.code, m.fatal) for m in messages if isinstance(m, ErrorMessage)] == [
            (error, True)
        ]
        assert (len(messages), code) == (1, 1008)
        await until_metric(server, 'sessions_closed_total{outcome="client_error"}', 1)


async def test_half_a_sample_at_the_end_is_said_and_the_session_is_done() -> None:
    async with serving(Counter()) as server, session(server) as websocket:
        await websocket.send(SECOND[:-1])
        await websocket.send(END)
        messages, code = await rest(websocket)
        assert isinstance(messages[0], ErrorMessage)
        assert messages[0].code == "audio_format"
        assert isinstance(messages[-1], Done)
        assert code == 1000


async def test_audio_after_end_is_refused_and_the_session_is_done(speech: Any) -> None:
    recognizer = Counter()
    recognizer.gate.clear()  # so that the end is not the session's last moment
    async with serving(recognizer) as server, session(server) as websocket:
        await send_all(websocket, pcm(speech, "librispeech/61-70968-0002"))
        await websocket.send(END)
        for _ in range(100):
            await websocket.send(SECOND)
        messages = []
        while not (messages and isinstance(messages[-1], ErrorMessage)):
            messages.append(await receive(websocket))
        recognizer.gate.set()
        end, code = await rest(websocket)
        assert messages[-1].code == "audio_after_end"
        assert [type(message) for message in end].count(ErrorMessage) == 0
        assert end[-1].audio_seconds == pytest.approx(2.97, abs=0.01)  # type: ignore[union-attr]
        assert code == 1000


async def test_a_text_frame_of_ten_megabytes_is_answered_by_close_1009() -> None:
    async with serving(Counter()) as server, session(server) as other:
        websocket = await connecting(server)
        await websocket.send("x" * 10_000_000)
        assert await rest(websocket) == ([], 1009)
        await until_metric(server, 'sessions_closed_total{outcome="client_error"}', 1)
        await other.send(END)
        assert isinstance((await rest(other))[0][-1], Done)


async def test_a_message_that_grows_piece_by_piece_is_answered_by_close_1009() -> None:
    async with serving(Counter()) as server:
        websocket = await connecting(server)
        with contextlib.suppress(ConnectionClosed):
            await websocket.send([SECOND] * 40)  # 1.28 MB in one message
        assert await rest(websocket) == ([], 1009)


async def test_a_text_frame_over_the_limit_is_named_and_closed_with_1009() -> None:
    async with serving(Counter(), limits={"max_text_bytes": 1000}) as server:
        async with session(server) as websocket:
            await websocket.send(json.dumps({"type": "ping", "id": "ä" * 495}))
            messages, code = await rest(websocket)
        assert isinstance(messages[0], ErrorMessage)
        assert "1000" in messages[0].message
        assert code == 1009


async def test_a_frame_that_is_no_utf8_is_answered_by_close_1007() -> None:
    async with serving(Counter()) as server, session(server) as websocket:
        await websocket.send(b"\xff\xfe", text=True)
        assert (await rest(websocket))[1] == 1007


async def test_who_does_not_start_in_time_is_told_and_closed() -> None:
    async with serving(Counter(), limits={"start_timeout": 0.05}) as server:
        async with connecting(server) as websocket:
            messages, code = await rest(websocket)
        assert [m.code for m in messages if isinstance(m, ErrorMessage)] == ["start_timeout"]
        assert code == 1008


async def test_an_idle_session_commits_what_it_has_before_it_is_ended(speech: Any) -> None:
    async with serving(Counter(), limits={"idle_timeout": 0.5}) as server:
        async with session(server) as websocket:
            await websocket.send(pcm(speech, "librispeech/61-70968-0002"))
            messages, code = await rest(websocket)
        assert text_of(messages)
        assert isinstance(messages[-1], ErrorMessage)
        assert (messages[-1].code, code) == ("idle_timeout", 1008)


# Pressure.


async def test_a_full_session_pauses_the_client_and_nothing_is_lost(speech: Any) -> None:
    recognizer = Counter()
    recognizer.gate.clear()
    sound = pcm(speech, "misc-en/jfk") * 4
    async with serving(recognizer) as server, session(server) as websocket:
        sending = asyncio.create_task(send_all(websocket, sound, 1_000_000))
        while await metric(server, "audio_seconds_total") < 4:
            await asyncio.sleep(0.01)
        for _ in range(200):
            await asyncio.sleep(0)
        # At the most: what the first request covers, then a full inbox, each and a piece.
        assert await metric(server, "audio_seconds_total") < 11
        recognizer.gate.set()
        await sending
        await websocket.send(END)
        messages, _ = await rest(websocket)
        assert isinstance(messages[-1], Done)
        assert messages[-1].audio_seconds == pytest.approx(len(sound) / 32000, abs=1e-3)


async def test_status_counts_what_waits_for_an_answer_that_has_not_come(speech: Any) -> None:
    recognizer = Counter()
    sound = pcm(speech, "librispeech/61-70968-0010")
    async with serving(recognizer) as server, session(server) as websocket:
        await keep_busy(recognizer, websocket, sound)
        while not acks(await receive(websocket), 2 * 16000):
            pass
        await get(server, "/healthz")  # some time goes by
        await send_all(websocket, sound[64000 : 64000 + 32000])
        while not (isinstance(status := await receive(websocket), Status) and status.lag_ms > 2500):
            pass
        assert status.audio_seconds == 3.0
        assert status.lag_ms == 3000  # no hypothesis has come at all
        assert status.real_time_factor > 0


async def test_a_partial_that_waits_keeps_up_with_the_sound(speech: Any) -> None:
    recognizer = Counter()
    sound = pcm(speech, "librispeech/61-70968-0010")[: 2 * 16000 * 6]
    async with serving(recognizer) as server, session(server) as busy, session(server) as late:
        await keep_busy(recognizer, busy, sound)
        await send_all(late, sound[:32000])
        await until_metric(server, "waiting_requests", 1)
        await send_all(late, sound[32000:])
        while not acks(await receive(late), 16000 * 6):
            pass
        recognizer.gate.set()
        while not isinstance(await receive(late), Partial | Committed):
            pass
        frames, final = recognizer.requests[1]
        assert not final
        assert 590 < frames < 605


async def test_a_final_that_waits_stands_while_the_session_listens_on(speech: Any) -> None:
    """The first utterance of three ends at 2.64 s; its final covers that, however late it comes."""
    recognizer = Counter()
    sound = pcm(speech, "misc-en/jfk")[: 2 * 16000 * 10]
    async with serving(recognizer) as server, session(server) as busy, session(server) as late:
        await keep_busy(recognizer, busy, sound)
        await send_all(late, sound)
        while not acks(await receive(late), 16000 * 10):
            pass
        recognizer.gate.set()
        await late.send(END)
        messages, _ = await rest(late)
        frames, final = recognizer.requests[1]
        assert final
        assert 264 <= frames < 270
        (first, *others) = [m for m in messages if isinstance(m, Committed) and m.final]
        assert first.end < 2.7
        assert others


async def test_a_flush_goes_ahead_of_older_partials_and_covers_what_it_was_asked_for(
    speech: Any,
) -> None:
    recognizer = Counter()
    sound = pcm(speech, "misc-en/jfk")[: 2 * 16000 * 8]
    queue = {"scheduler": SchedulerOptions(max_batch=1)}
    async with (
        serving(recognizer, **queue) as server,
        session(server) as busy,
        session(server) as other,
        session(server) as hurried,
    ):
        await keep_busy(recognizer, busy, sound)
        await send_all(other, sound[:64000])
        await until_metric(server, "waiting_requests", 1)
        await send_all(hurried, sound[:64000])
        await until_metric(server, "waiting_requests", 2)
        await hurried.send('{"type": "flush", "id": "now"}')
        await send_all(hurried, sound[64000:160000])
        while not acks(await receive(hurried), 16000 * 5):
            pass
        recognizer.gate.set()
        messages = []
        while Flushed("now") not in messages:
            messages.append(await receive(hurried))
        await until_metric(server, "waiting_requests", 0)  # the other one's turn has come
        (first, final), (_, other_final) = recognizer.requests[1:3]
        assert (final, other_final) == (True, False)
        assert 150 < first < 205
        assert [m.text for m in messages if isinstance(m, Committed)] == [str(first)]


async def test_a_client_that_does_not_read_is_dropped_and_holds_nothing_up() -> None:
    ping = json.dumps({"type": "ping", "id": "x" * 60_000})
    limits = {"send_timeout": 0.3}
    async with serving(Counter(), limits=limits) as server, session(server) as other:
        deaf = await connecting(server, max_queue=1)
        with pytest.raises(ConnectionClosed):
            await keep_sending(deaf, ping)
        await until_metric(server, 'sessions_closed_total{outcome="client_unread"}', 1)
        await other.send('{"type": "ping"}')
        assert await receive(other) == Pong(None)


async def test_of_200_connections_100_are_served_and_100_refused() -> None:
    async with serving(Counter()) as server:

        async def visit(leaving: asyncio.Event) -> ServerMessage | InvalidStatus:
            try:
                async with session(server) as websocket:
                    nonlocal served
                    served += 1
                    await leaving.wait()
                    await websocket.send(SECOND)
                    await websocket.send(END)
                    return (await rest(websocket))[0][-1]
            except InvalidStatus as refused:
                return refused

        served = 0
        leaving = asyncio.Event()
        visits = [asyncio.create_task(visit(leaving)) for _ in range(200)]
        while served + sum(visit.done() for visit in visits) < 200:
            await asyncio.sleep(0.01)
        assert served == 100
        assert (await get(server, "/readyz"))[0] == 503
        assert await metric(server, "open_sessions") == 100
        leaving.set()
        results = await asyncio.gather(*visits)
        assert sum(isinstance(result, Done) for result in results) == 100
        for result in results:
            if isinstance(result, InvalidStatus):
                assert result.response.status_code == 503
                assert result.response.headers["Retry-After"]
                answer = json.loads(bytes(result.response.body or b""))
                assert answer["code"] == "too_many_sessions"
                assert "100" in answer["message"]
        assert await metric(server, "sessions_refused_total") == 100
        await until_metric(server, "open_sessions", 0)
        async with session(server):
            pass


# Failures of the server's own.


async def test_a_request_that_fails_is_asked_again(speech: Any) -> None:
    async with serving(Counter(failures=2)) as server, session(server) as websocket:
        await send_all(websocket, pcm(speech, "librispeech/61-70968-0002"))
        await websocket.send(END)
        messages, code = await rest(websocket)
        assert text_of(messages)
        assert code == 1000
        assert await metric(server, "request_errors_total") == 2


async def test_a_request_that_always_fails_is_an_error_and_close_1011(speech: Any) -> None:
    async with serving(Counter(failures=1000)) as server, session(server) as websocket:
        await send_all(websocket, pcm(speech, "librispeech/61-70968-0002"))
        messages, code = await rest(websocket)
        assert isinstance(messages[-1], ErrorMessage)
        assert (messages[-1].code, code) == ("recognition_failed", 1011)


async def test_an_internal_error_ends_one_session_and_names_it(
    speech: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Counter(nonsense=True)) as server, session(server) as other:
        async with connecting(server) as websocket:
            await websocket.send(START)
            ready = await receive(websocket)
            assert isinstance(ready, Ready)
            await send_all(websocket, pcm(speech, "librispeech/61-70968-0002"))
            messages, code = await rest(websocket)
        error = messages[-1]
        assert isinstance(error, ErrorMessage)
        assert (error.code, error.fatal, code) == ("internal", True, 1011)
        assert ready.session in error.message
        assert "Traceback" not in error.message
        assert [r for r in caplog.records if r.exc_info and ready.session in r.getMessage()]
        await other.send(END)
        assert isinstance((await rest(other))[0][-1], Done)


# Plain HTTP.


async def test_pages_say_how_the_server_is_and_how_to_use_it() -> None:
    async with serving(Counter()) as server:
        assert await get(server, "/healthz") == (200, "ok\n")
        assert await get(server, "/readyz") == (200, "ready\n")
        status, page = await get(server, "/")
        assert status == 200
        assert server.url in page
        assert "counter" in page
        status, page = await get(server, "/metrics")
        assert status == 200
        assert "streamwhisper_open_sessions 0.0" in page
        status, page = await get(server, "/v1/strem?x=1")
        assert status == 404
        assert "/v1/stream" in page
        assert (await get(server, "/v1/stream"))[0] == 426


async def test_metrics_count_the_audio() -> None:
    async with serving(Counter()) as server, session(server) as websocket:
        await send_all(websocket, SECOND * 3)
        await websocket.send(END)
        await rest(websocket)
        assert await metric(server, "audio_seconds_total") == pytest.approx(3.0)


async def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    async with serving(Counter()) as server:
        taken = replace(server.options, port=server.port)
        with pytest.raises(OSError, match=f"{server.port}: the port is in use"):
            await Server(Counter(), taken).__aenter__()


# Shutting down.


async def test_shutting_down_commits_everything_and_says_done(speech: Any) -> None:
    async with serving(Counter()) as server, session(server) as websocket, session(server) as idle:
        async with connecting(server) as unstarted:
            sound = pcm(speech, "misc-en/jfk")[: 2 * 16000 * 8]
            await send_all(websocket, sound)
            while not acks(await receive(websocket), 16000 * 8):
                pass
            stopping = asyncio.create_task(server.shut_down())
            messages, code = await rest(websocket)
            await stopping
            assert text_of(messages)
            committed = [message for message in messages if isinstance(message, Committed)]
            assert committed[-1].final
            assert isinstance(messages[-1], Done)
            assert messages[-1].audio_seconds == 8.0
            assert code == 1001
            assert await rest(idle) == ([Done(0.0, 0.0)], 1001)
            assert await rest(unstarted) == ([], 1001)
        with pytest.raises(OSError):  # noqa: PT011
            await connecting(server)


async def test_a_client_that_sends_on_is_heard_for_the_drain_time_and_its_text_committed(
    speech: Any,
) -> None:
    recognizer = Counter()
    limits = {"drain_timeout": 0.2}
    async with serving(recognizer, limits=limits) as server, session(server) as websocket:
        await keep_busy(recognizer, websocket, pcm(speech, "misc-en/jfk"))
        sending = asyncio.create_task(keep_sending(websocket, SECOND))
        stopping = asyncio.create_task(server.shut_down())
        # Held up as it is, the session cannot read all; after the drain time it refuses the rest.
        while not isinstance(error := await receive(websocket), ErrorMessage):
            pass
        recognizer.gate.set()
        messages, code = await rest(websocket)
        await stopping
        with pytest.raises(ConnectionClosed):
            await sending
    assert (error.code, error.fatal) == ("audio_after_end", False)
    assert text_of(messages)
    assert isinstance(messages[-1], Done)
    assert messages[-1].audio_seconds >= 2.0
    assert code == 1001


async def test_a_session_that_cannot_finish_in_time_is_cut_off_and_told(speech: Any) -> None:
    recognizer = Counter()
    recognizer.gate.clear()
    options = {"commit_timeout": 0.1, "limits": {"drain_timeout": 0.1}}
    async with serving(recognizer, **options) as server, session(server) as websocket:
        await send_all(websocket, pcm(speech, "librispeech/61-70968-0002"))
        while not recognizer.asked:
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(server.shut_down())
        messages, code = await rest(websocket)
        recognizer.gate.set()
        await stopping
        assert isinstance(messages[-1], ErrorMessage)
        assert (messages[-1].code, code) == ("shutting_down", 1013)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
async def test_sigterm_in_mid_speech_commits_everything_and_exits_with_0(
    tiny_en_path: Path, speech: Any
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(tiny_en_path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with connect_async(url, proxy=None) as websocket:
            await websocket.send(START)
            await send_all(websocket, pcm(speech, "misc-en/jfk")[: 2 * 16000 * 8])
            heard = []
            while not (heard and acks(heard[-1], 16000 * 8)):
                heard.append(await receive(websocket))
            process.send_signal(signal.SIGTERM)
            messages, code = await rest(websocket)
        text = text_of([*heard, *messages]).lower()
        assert "fellow americans" in text
        assert "country can do for you" in text
        assert isinstance(messages[-1], Done)
        assert messages[-1].audio_seconds == 8.0
        assert code == 1001
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


HELD_UP = """
import sys
from streamwhisper.recognition import Hypothesis, ModelInfo
from streamwhisper.server.app import ServerOptions
from streamwhisper.server.run import run

class Stuck:
    info = ModelInfo("stuck", 80, multilingual=False)

    def recognize(self, requests):
        print("asked", flush=True)
        sys.stdin.read()  # until it is closed
        return [Hypothesis((), "en", "end_of_text", 0.0, 0.0) for _ in requests]

run(Stuck(), ServerOptions(port=0), ready=lambda url: print(url, flush=True))
"""


@contextlib.asynccontextmanager
async def held_up_process() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server whose recognizer waits until its stdin is closed, and its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", HELD_UP),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_refused(url: str) -> None:
    """A signal was taken once nobody is let in any more."""
    while True:
        try:
            async with connect_async(url, proxy=None):
                pass
        except (OSError, InvalidHandshake):  # refused, or accepted and dropped
            return


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_all_that_was_sent_before_the_signal_is_heard(
    sign: signal.Signals, speech: Any
) -> None:
    """The recognizer is held up, so that most of the sound is unread when the signal comes."""
    sound = pcm(speech, "misc-en/jfk")
    async with held_up_process() as (process, url), connect_async(url, proxy=None) as websocket:
        assert process.stdin is not None
        await websocket.send(START)
        await send_all(websocket, sound)
        process.send_signal(sign)
        await until_refused(url)
        process.stdin.close()
        messages, code = await rest(websocket)
        assert isinstance(messages[-1], Done)
        assert messages[-1].audio_seconds == len(sound) / 32000
        assert not [message for message in messages if isinstance(message, ErrorMessage)]
        assert code == 1001
        assert await process.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_process_at_once(sign: signal.Signals, speech: Any) -> None:
    async with held_up_process() as (process, url), connect_async(url, proxy=None) as websocket:
        assert process.stdout is not None
        await websocket.send(START)
        await send_all(websocket, pcm(speech, "librispeech/61-70968-0002"))
        assert await process.stdout.readline() == b"asked\n"
        process.send_signal(sign)
        await until_refused(url)
        assert process.returncode is None
        process.send_signal(sign)
        assert await process.wait() == -sign


@pytest.mark.parametrize("last", ["close", "nonsense"])
async def test_a_client_that_leaves_frames_unread_behind_gives_up_its_place_at_once(
    last: str,
) -> None:
    async with serving(Counter()) as server:
        websocket = await connecting(server)
        for _ in range(12):  # more than are read before the first one ends the session
            websocket.protocol.send_text(b"no JSON")
        if last == "close":
            websocket.protocol.send_close(1000)
        websocket.send_data()
        if last == "nonsense":
            websocket.transport.write(b"\xff" * 20)
        async with asyncio.timeout(5):  # not the 20 s for which a client may read nothing
            await until_metric(server, "open_sessions", 0)
            await websocket.wait_closed()


@pytest.mark.parametrize("cut", [1, 7, 1000])
@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/stream"])
async def test_what_follows_a_request_right_away_neither_fails_nor_delays_its_answer(
    path: str, cut: int, recognizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Pipelined requests and garbage, in one piece or in several."""
    wire = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    wire += b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + bytes(range(256))
    async with serving(recognizer) as server, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for start in range(0, len(wire), cut):
            writer.write(wire[start : start + cut])
            await asyncio.sleep(0)
        assert (await reader.readline()).startswith(b"HTTP/1.1 ")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
    assert not [record for record in caplog.records if record.exc_info]
