"""Deepgram's own clients against a real server with real speech and weights."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamwhisper.client import connect
from streamwhisper.events import Committed
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from tests.support.deepgram_stream import finals, results, text_of, transcript, words_of
from tests.support.paths import SUPPORT
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script
from tests.support.sdk import node_with, python_with

KEY = "dg-4f0c6a1e77b2"
CLIENTS = SUPPORT / "clients"
CLIP = "librispeech/61-70968-0000"
RAW = {"model": "nova-3", "encoding": "linear16", "sample_rate": "16000"}
KINDS = ("sync", "async", "node")

Said = list[dict[str, Any]]
Steps = list[list[Any]]


@pytest.fixture(scope="module")
def python() -> Path:
    return python_with("deepgram-sdk-python", "deepgram-sdk==7.17.0")


@pytest.fixture(scope="module")
def node() -> Path:
    return node_with("deepgram-sdk-node", "@deepgram/sdk@5.13.0")


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run a client's program, and return what it printed."""

    async def run(
        kind: str,
        server: Server,
        steps: Steps,
        key: str = KEY,
        seen: Callable[[Any], None] = lambda line: None,
        **query: Any,
    ) -> Said:
        url = f"ws://127.0.0.1:{server.port}"
        plan = json.dumps({"query": query, "steps": steps})
        if kind == "node":
            folder = request.getfixturevalue("node")
            program = shutil.which("node") or ""
            arguments = [str(CLIENTS / "deepgram_node.mjs"), str(folder), url, key, plan]
        else:
            program = str(request.getfixturevalue("python"))
            arguments = [str(CLIENTS / "deepgram_python.py"), kind, url, key, plan]
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
        )
        assert process.stdout is not None
        said = []
        try:
            async with asyncio.timeout(120):
                async for printed in process.stdout:
                    said.append(json.loads(printed))
                    seen(said[-1])
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
        return said

    return run


@asynccontextmanager
async def serving(recognizer: Any, **options: Any) -> AsyncIterator[Server]:
    access = AccessOptions(keys=(Key.of("test", KEY),))
    async with Server(recognizer, ServerOptions(port=0, access=access, **options)) as server:
        yield server


@pytest.fixture
def sound(speech: Any, tmp_path: Path) -> Path:
    """A clip of real speech as raw samples."""
    file = tmp_path / "sound.raw"
    file.write_bytes(pcm(speech, CLIP))
    return file


def pcm(speech: Any, clip: str) -> bytes:
    samples: bytes = (speech.load(speech.clip(clip)) * 32767).astype("<i2").tobytes()
    return samples


def messages(said: Said) -> Said:
    """What the server said; nothing else may have happened."""
    assert {line["kind"] for line in said} <= {"message", "open", "closed"}, said
    return [line["message"] for line in said if line["kind"] == "message"]


def plain(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", "", text.lower()).split()


async def native(server: Server, sound: bytes) -> str:
    """The same by the native protocol."""
    async with connect(server.url, token=KEY) as stream:
        for at in range(0, len(sound), 3200):
            await stream.send(sound[at : at + 3200])
        await stream.end()
        return "".join([e.text async for e in stream if isinstance(e, Committed)])


@pytest.mark.parametrize("kind", KINDS)
async def test_the_sdk_reads_every_field_and_the_words_are_those_of_the_native_protocol(
    kind: str, recognizer: Any, sound: Path, run: Callable[..., Any]
) -> None:
    async with serving(recognizer) as server:
        steps = [["keep_alive"], ["audio", str(sound)], ["close"]]
        asked = {"interim_results": "true", "vad_events": "true", "smart_format": "true"}
        said = messages(await run(kind, server, steps, **RAW, **asked))
        assert plain(transcript(said)) == plain(await native(server, sound.read_bytes()))
    last = said[-1]
    assert (last["type"], last["channels"]) == ("Metadata", 1)
    assert last["duration"] == sound.stat().st_size / 32000
    assert last["sha256"] == hashlib.sha256(sound.read_bytes()).hexdigest()
    assert [m for m in said if m["type"] == "SpeechStarted"]
    assert [r for r in results(said) if not r["is_final"]]
    spoken = [word for result in finals(said) for word in words_of(result)]
    assert all(0 < word["confidence"] <= 1 for word in spoken)
    lengths = {round(word["end"] - word["start"], 3) for word in spoken}
    assert len(lengths) > len(spoken) / 3  # heard, and not the span divided by its words
    assert {result["metadata"]["request_id"] for result in results(said)} == {last["request_id"]}


@pytest.mark.parametrize("kind", KINDS)
async def test_finalize_in_mid_speech_is_answered_and_no_word_is_lost(
    kind: str, recognizer: Any, sound: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    halves = [tmp_path / "one.raw", tmp_path / "two.raw"]
    cut = 2 * 16000 * 3
    halves[0].write_bytes(sound.read_bytes()[:cut])
    halves[1].write_bytes(sound.read_bytes()[cut:])
    steps = [["audio", str(halves[0])], ["finalize"], ["finalized"]]
    steps += [["audio", str(halves[1])], ["close"]]
    async with serving(recognizer) as server:
        said = messages(await run(kind, server, steps, **RAW))
    (answer,) = [result for result in results(said) if result["from_finalize"]]
    assert answer["is_final"]
    assert answer["start"] + answer["duration"] == pytest.approx(3.0)
    first, whole = plain(transcript(said)[:20]), plain(transcript(said))
    assert whole[: len(first) - 1] == first[:-1]
    assert whole[-2:] == ["the", "left"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_keyterms_can_be_changed_in_the_middle(
    kind: str, recognizer: Any, sound: Path, run: Callable[..., Any]
) -> None:
    terms = {"keyterms": ["Wizard"], "features": {"punctuate": True}}
    steps = [["configure", terms], ["audio", str(sound)], ["close"]]
    async with serving(recognizer) as server:
        said = messages(await run(kind, server, steps, **RAW, keyterm="curtain"))
    (answer,) = [m for m in said if m and m["type"] == "ConfigureSuccess"]
    assert answer["keyterms"] == ["Wizard"]
    assert said[-1]["type"] == "Metadata"


async def test_turns_are_told_to_the_sdk_of_flux(
    recognizer: Any, sound: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    half = tmp_path / "half.raw"
    half.write_bytes(sound.read_bytes()[: 2 * 16000 * 3])
    query = {**RAW, "model": "flux-general-en", "eager_eot_threshold": "0.4"}
    steps = [["audio", str(half)], ["force_end_turn"], ["turn_over"]]
    steps += [["configure", {"keyterms": ["Wizard"], "thresholds": {"eager_eot_threshold": 0.5}}]]
    steps += [["audio", str(sound)], ["close"]]
    async with serving(recognizer) as server:
        said = messages(await run("flux", server, steps, **query))
        whole = plain(await native(server, sound.read_bytes()))
    assert (said[0]["type"], [m["sequence_id"] for m in said]) == (
        "Connected",
        list(range(len(said))),
    )
    (configured,) = [m for m in said if m["type"].startswith("Configure")]
    assert configured["type"] == "ConfigureSuccess", configured
    assert configured["keyterms"] == ["Wizard"]
    assert configured["thresholds"]["eager_eot_threshold"] == 0.5
    turns = [m for m in said if m["type"] == "TurnInfo"]
    first, *others = [m for m in turns if m["event"] == "EndOfTurn"]
    assert first["trigger"] == "manual"
    assert whole[:4] == plain(first["transcript"])[:4]
    assert plain(" ".join(turn["transcript"] for turn in others)) == whole
    assert [m["turn_index"] for m in turns] == sorted(m["turn_index"] for m in turns)


@pytest.mark.parametrize(
    ("query", "key", "status"),
    [(RAW, "wrong", 401), ({**RAW, "encoding": "morse"}, KEY, 400)],
)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_who_is_not_let_in_learns_it_at_the_handshake(
    kind: str, query: Any, key: str, status: int, recognizer: Any, run: Callable[..., Any]
) -> None:
    async with serving(recognizer) as server:
        (said,) = await run(kind, server, [["close"]], key, **query)
    assert (said["kind"], said["message"]["status"]) == ("refused", status)


async def listening(server: Server, query: str, *sounds: str | bytes) -> tuple[Said, int, str]:
    """What a bare WebSocket hears, and how it is closed."""
    url = f"ws://127.0.0.1:{server.port}/v1/listen?{query}"
    headers = {"Authorization": f"Token {KEY}"}
    async with connect_websocket(url, additional_headers=headers, proxy=None) as websocket:
        with contextlib.suppress(ConnectionClosed):  # in the middle of its sound
            for sound in sounds:
                await websocket.send(sound)
            await websocket.send('{"type": "CloseStream"}')
        said = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                said.append(json.loads(await websocket.recv()))
    return said, websocket.close_code or 0, websocket.close_reason or ""


def chunks(sound: bytes, size: int = 3200) -> list[bytes]:
    return [sound[at : at + size] for at in range(0, len(sound), size)]


async def test_two_callers_of_a_telephone_are_heard_apart(recognizer: Any, speech: Any) -> None:
    """G.711 at 8 kHz, one caller to a channel."""
    import soxr

    wanted = {CLIP: "curtain on the left", "librispeech/61-70968-0002": "happy life"}
    heard = [soxr.resample(speech.load(speech.clip(clip)), 16000, 8000) for clip in wanted]
    both = np.zeros((max(map(len, heard)), 2))
    for channel, samples in enumerate(heard):
        both[: len(samples), channel] = samples
    magnitude = np.log1p(255 * np.abs(both.clip(-1, 1))) / np.log(256)
    code = (~(np.where(both < 0, 0x80, 0) | (magnitude * 127).astype(int))).astype(np.uint8)
    query = "encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&punctuate=true"
    async with serving(recognizer) as server:
        said, code_, _ = await listening(server, query, *chunks(code.tobytes()))
    assert code_ == 1000
    for channel, words in enumerate(wanted.values()):
        assert words in " ".join(plain(transcript(said, channel)))
        assert all(r["channel_index"] == [channel, 2] for r in results(said, channel))
    assert said[-1]["duration"] == len(both) / 8000


@pytest.mark.parametrize("scheme", ["token", "bearer"])
async def test_a_browser_has_its_key_in_the_subprotocol(recognizer: Any, scheme: str) -> None:
    async with serving(recognizer) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?encoding=linear16&sample_rate=16000"
        offered = [scheme, KEY, "x-deepgram-session-id", "7c0e9d3c"]
        async with connect_websocket(url, subprotocols=offered, proxy=None) as websocket:
            assert websocket.subprotocol == scheme
        with pytest.raises(InvalidStatus):
            await connect_websocket(url, subprotocols=[scheme, "wrong"], proxy=None)


async def test_the_handshake_names_the_request_and_what_is_not_supported(recognizer: Any) -> None:
    query = "encoding=linear16&sample_rate=16000&diarize=true&redact=pci&nonsense=1&tag=a"
    query += "&detect_entities=false"  # as some always say
    async with serving(recognizer) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?{query}"
        headers = {"Authorization": f"Token {KEY}"}
        async with connect_websocket(url, additional_headers=headers, proxy=None) as websocket:
            assert websocket.response is not None
            answer = websocket.response.headers
            assert (
                answer["dg-warning"]
                == "not supported by this server: diarize, redact; unknown: nonsense"
            )
            await websocket.send('{"type": "CloseStream"}')
            assert json.loads(await websocket.recv())["request_id"] == answer["dg-request-id"]


async def test_a_refusal_has_the_form_of_deepgram(recognizer: Any) -> None:
    async with serving(recognizer) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?encoding=morse"
        headers = {"Authorization": f"Token {KEY}"}
        with pytest.raises(InvalidStatus) as caught:
            await connect_websocket(url, additional_headers=headers, proxy=None)
    response = caught.value.response
    body = json.loads(response.body)
    assert body["err_code"] == "INVALID_QUERY_PARAMETER"
    assert 'encoding is "morse"; expected one of linear16' in body["err_msg"]
    assert body["request_id"] == response.headers["dg-request-id"]


async def test_who_says_nothing_is_closed_as_deepgram_does_it(recognizer: Any) -> None:
    async with serving(recognizer, limits=Limits(idle_timeout=0.2)) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?encoding=linear16&sample_rate=16000"
        headers = {"Authorization": f"Token {KEY}"}
        async with connect_websocket(url, additional_headers=headers, proxy=None) as websocket:
            error = json.loads(await websocket.recv())
            assert (error["type"], error["code"]) == ("Error", "NET-0001")
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.recv()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1011, "NET-0001")


async def test_sound_that_cannot_be_decoded_is_told_in_the_form_of_deepgram(
    recognizer: Any,
) -> None:
    async with serving(recognizer) as server:
        said, code, reason = await listening(server, "model=nova-3", b"no sound at all" * 9000)
    assert (said[-1]["type"], code, reason) == ("Error", 1008, "DATA-0000")


async def test_a_container_needs_no_encoding(recognizer: Any, speech: Any) -> None:
    clip = speech.clip(CLIP)
    file = (speech.folder / clip["path"]).read_bytes()
    async with serving(recognizer) as server:
        said, code, _ = await listening(server, "language=en-US", *chunks(file))
    assert code == 1000
    assert plain(text_of(finals(said)[-1]))[-2:] == ["the", "left"]
    assert said[-1]["duration"] == pytest.approx(clip["duration_s"], abs=0.01)


async def test_a_client_that_sends_faster_than_is_heard_loses_nothing_on_any_channel() -> None:
    left = np.frombuffer(script().pcm, dtype="<i2")
    right = np.concatenate([np.zeros(8000, "<i2"), left[:-8000]])
    both = np.stack([left, right], axis=1).tobytes()
    query = "encoding=linear16&sample_rate=16000&channels=2&multichannel=true&interim_results=true"
    async with serving(ScriptedRecognizer(script()), session=OPTIONS) as server:
        said, code, _ = await listening(server, query, *chunks(both, 500_000))
    assert (code, said[-1]["duration"]) == (1000, len(left) / 16000)
    assert transcript(said, 0) == script().text
    assert transcript(said, 1) == script().text


async def test_limits_are_told_in_the_form_of_deepgram_after_what_was_heard() -> None:
    query = "encoding=linear16&sample_rate=16000"
    access = AccessOptions(quota=Quota(session_seconds=4.0))
    options = {"session": OPTIONS, "access": access}
    async with Server(ScriptedRecognizer(script()), ServerOptions(port=0, **options)) as server:
        said, code, reason = await listening(server, query, *chunks(script().pcm[:320_000]))
        assert (said[-1]["type"], said[-1]["code"]) == ("Error", "session_too_long")
        assert (code, reason) == (1008, "session_too_long")
        assert transcript(said).startswith("w0 w1 w2")
        said, code, _ = await listening(server, query, "x" * 70_000)
        assert (said[-1]["type"], code) == ("Error", 1009)


async def test_each_channel_takes_a_place_of_its_own(recognizer: Any) -> None:
    stereo = "encoding=linear16&sample_rate=16000&channels=2&multichannel=true"
    headers = {"Authorization": f"Token {KEY}"}
    async with serving(recognizer, limits=Limits(max_sessions=3)) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?{stereo}"
        async with connect_websocket(url, additional_headers=headers, proxy=None):
            assert server.context.access.open_sessions == 2
            with pytest.raises(InvalidStatus) as caught:
                await connect_websocket(url, additional_headers=headers, proxy=None)
            body = json.loads(caught.value.response.body)
            assert (caught.value.response.status_code, body["err_code"]) == (
                503,
                "TOO_MANY_SESSIONS",
            )
        while server.context.access.open_sessions:
            await asyncio.sleep(0.01)


async def test_each_channel_has_a_record_of_its_own(tmp_path: Path) -> None:
    left = np.frombuffer(script().pcm, dtype="<i2")[: 16000 * 8]
    both = np.stack([left, np.zeros_like(left)], axis=1).tobytes()
    query = "encoding=linear16&sample_rate=16000&channels=2&multichannel=true"
    recording = RecordingOptions(tmp_path)
    async with serving(
        ScriptedRecognizer(script()), session=OPTIONS, features=FeatureOptions(recording=recording)
    ) as server:
        said, _, _ = await listening(server, query, *chunks(both))
    name = said[-1]["request_id"].replace("-", "")[:12]
    (spoken,) = tmp_path.glob(f"*-{name}-0.jsonl")
    (silent,) = tmp_path.glob(f"*-{name}-1.jsonl")
    kept = [json.loads(line) for line in spoken.read_text().splitlines()]
    assert "".join(line.get("text", "") for line in kept) == transcript(said)
    assert len(transcript(said).split()) > 5
    assert "text" not in silent.read_text()


async def test_a_stream_that_is_closed_without_a_word_is_no_error(recognizer: Any) -> None:
    """As by those who say CloseStream, and do not wait for what comes of it."""
    url = "encoding=linear16&sample_rate=16000"
    async with serving(recognizer) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?{url}&token={KEY}"
        async with connect_websocket(url, proxy=None) as websocket:
            await websocket.send(script().pcm[:160_000])
            await websocket.send('{"type": "CloseStream"}')
        while server.context.access.open_sessions:
            await asyncio.sleep(0.01)
        assert (
            b'sessions_closed_total{outcome="client_left"} 1.0' in server.context.metrics.render()
        )


async def test_a_client_under_node_comes_back_by_itself_and_goes_on(
    recognizer: Any, sound: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    half = tmp_path / "half.raw"
    half.write_bytes(sound.read_bytes()[: 2 * 16000 * 3])
    steps = [["audio", str(half)], ["finalize"], ["finalized"], ["reopened"]]
    steps += [["audio", str(sound)], ["close"]]
    async with serving(recognizer) as server:

        def cut(line: Any) -> None:
            if line["kind"] == "message" and line["message"].get("from_finalize"):
                (connection,) = server.context.connections._open
                connection._websocket.transport.abort()  # type: ignore[attr-defined]

        said = await run("node", server, steps, seen=cut, **RAW)
        assert b'connections_total{path="/v1/listen"} 2.0' in server.context.metrics.render()
    assert next(line["message"] for line in said if line["kind"] == "closed") != 1000
    reopened = [at for at, line in enumerate(said) if line["kind"] == "open"][1]
    after = messages(said[reopened:])
    assert plain(transcript(after))[-2:] == ["the", "left"]
    assert after[-1]["duration"] == sound.stat().st_size / 32000


async def test_many_who_come_again_and_again_leave_nothing_behind(
    recognizer: Any, speech: Any
) -> None:
    """Cut off in the middle of their sound, as by a network that fails."""
    sound = pcm(speech, CLIP)[:32000]
    headers = {"Authorization": f"Token {KEY}"}
    async with serving(recognizer, limits=Limits(max_sessions=4)) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/listen?encoding=linear16&sample_rate=16000"

        refused: list[Any] = []

        async def storm() -> None:
            for _ in range(10):
                try:
                    websocket = await connect_websocket(url, additional_headers=headers, proxy=None)
                except InvalidStatus as error:
                    refused.append(error.response)
                    continue
                await websocket.send(sound)
                websocket.transport.abort()

        await asyncio.gather(*(storm() for _ in range(8)))
        while server.context.access.open_sessions:
            await asyncio.sleep(0.01)
        assert {(answer.status_code, b'"err_code"' in answer.body) for answer in refused} <= {
            (503, True)
        }
        assert not server.context.connections._open
        said, code, _ = await listening(server, "encoding=linear16&sample_rate=16000", sound)
        assert (said[-1]["type"], code) == ("Metadata", 1000)
