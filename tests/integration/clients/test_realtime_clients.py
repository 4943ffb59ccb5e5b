"""OpenAI's own clients against a real server with real speech and weights."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import soxr

from streamwhisper.client import connect
from streamwhisper.events import Committed
from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.access.tls import load_certificate, self_signed
from streamwhisper.server.app import Server, ServerOptions
from tests.support.paths import SUPPORT
from tests.support.realtime import check, completed, of
from tests.support.sdk import node_with, python_with

KEY = "sk-4f0c6a1e77b2"
CLIENTS = SUPPORT / "clients"
CLIP = "librispeech/61-70968-0000"
INTENT = {"intent": "transcription"}
DONE = "conversation.item.input_audio_transcription.completed"
MANUAL = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}

Said = list[dict[str, Any]]
Steps = list[list[Any]]


@pytest.fixture(scope="module")
def python() -> Path:
    return python_with("openai", "openai[realtime]==3.54.0")


@pytest.fixture
def run(python: Path) -> Callable[..., Any]:
    """Run a client's program, and return what it printed."""

    async def run(server: Server, steps: Steps, key: str = KEY, query: Any = INTENT) -> Said:
        plan = json.dumps({"query": query, "steps": steps})
        url = f"http://127.0.0.1:{server.port}/v1"
        program = str(CLIENTS / "realtime_python.py")
        process = await asyncio.create_subprocess_exec(
            python, program, url, key, plan, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
        )
        try:
            async with asyncio.timeout(120):
                printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return [json.loads(line) for line in printed.splitlines()]

    return run


@asynccontextmanager
async def serving(recognizer: Any, **options: Any) -> AsyncIterator[Server]:
    access = AccessOptions(keys=(Key.of("test", KEY),))
    async with Server(recognizer, ServerOptions(port=0, access=access, **options)) as server:
        yield server


@pytest.fixture
def sound(speech: Any, tmp_path: Path) -> Path:
    """A clip of real speech as raw samples, 24 kHz."""
    samples = soxr.resample(speech.load(speech.clip(CLIP)), 16000, 24000)
    file = tmp_path / "sound.raw"
    file.write_bytes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return file


def events(said: Said) -> Said:
    """What the server said; nothing else may have happened."""
    assert not [line for line in said if line["kind"] == "failed"], said
    found = [line["message"] for line in said if line["kind"] != "closed"]
    check(found)
    return found


def plain(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", "", text.lower()).split()


def spoken(found: Said) -> list[str]:
    return plain(" ".join(event["transcript"] for event in completed(found)))


async def native(server: Server, sound: bytes) -> list[str]:
    """The same by the native protocol."""
    async with connect(server.url, token=KEY, sample_rate=24000) as stream:
        for at in range(0, len(sound), 4800):
            await stream.send(sound[at : at + 4800])
        await stream.end()
        return plain("".join([e.text async for e in stream if isinstance(e, Committed)]))


async def test_the_sdk_reads_every_field_and_the_words_are_those_of_the_native_protocol(
    recognizer: Any, sound: Path, run: Callable[..., Any]
) -> None:
    async with serving(recognizer) as server:
        steps = [["update", MANUAL], ["audio", str(sound)], ["commit"], ["wait", DONE]]
        said = await run(server, steps)
        found = events(said)
        assert spoken(found) == await native(server, sound.read_bytes())
    assert {line["kind"] for line in said} == {
        "SessionCreatedEvent",
        "SessionUpdatedEvent",
        "ConversationItemInputAudioTranscriptionDeltaEvent",
        "InputAudioBufferCommittedEvent",
        "ConversationItemAdded",
        "ConversationItemDone",
        "ConversationItemInputAudioTranscriptionCompletedEvent",
    }
    (done,) = completed(found)
    assert done["usage"]["seconds"] == pytest.approx(sound.stat().st_size / 48000, abs=0.1)
    added = of(found, "conversation.item.added")[0]["item"]
    assert (added["type"], added["role"], added["content"][0]["type"]) == (
        "message",
        "user",
        "input_audio",
    )


async def test_the_server_ends_an_item_by_itself_once_there_is_silence(
    recognizer: Any, sound: Path, run: Callable[..., Any]
) -> None:
    asked = {
        "type": "transcription",
        "audio": {
            "input": {
                "transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 600,
                    "silence_duration_ms": 350,
                },
            }
        },
        "include": ["item.input_audio_transcription.logprobs"],
    }
    async with serving(recognizer) as server:
        steps = [["update", asked], ["audio", str(sound)], ["silence", 2.0], ["wait", DONE]]
        found = events(await run(server, steps))
        heard = await native(server, sound.read_bytes())
    assert set(spoken(found)) <= set(heard)
    (started, *_), (stopped, *_) = (
        of(found, f"input_audio_buffer.speech_{what}") for what in ("started", "stopped")
    )
    assert started["item_id"] == stopped["item_id"] == completed(found)[0]["item_id"]
    assert 0 <= started["audio_start_ms"] < stopped["audio_end_ms"]
    for event in [*completed(found), *of(found, f"{DONE.rsplit('.', 1)[0]}.delta")]:
        text = event.get("transcript") or event.get("delta")
        assert "".join(token["token"] for token in event["logprobs"]) == text
        assert all(token["logprob"] <= 0 for token in event["logprobs"])
        assert all(bytes(token["bytes"]).decode() == token["token"] for token in event["logprobs"])


@pytest.mark.parametrize(
    "hint", [{"keywords": ["Fitzooth"]}, {"prompt": "The squire spoke to Mistress Fitzooth."}]
)
async def test_names_are_heard_as_they_are_announced_and_a_turn_ends_by_what_is_said(
    recognizer: Any, speech: Any, tmp_path: Path, run: Callable[..., Any], hint: dict[str, Any]
) -> None:
    clip = speech.clip("librispeech/61-70968-0011")
    samples = soxr.resample(speech.load(clip), 16000, 24000)
    file = tmp_path / "squire.raw"
    file.write_bytes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())

    def asked(**transcription: Any) -> dict[str, Any]:
        heard = {"language": "en", **transcription}
        turns = {"type": "semantic_vad", "eagerness": "high"}
        sound = {"transcription": heard, "turn_detection": turns}
        return {"type": "transcription", "audio": {"input": sound}}

    async with serving(recognizer) as server:
        steps = [["audio", str(file)], ["silence", 2.0], ["wait", DONE]]
        plain_said = events(await run(server, [["update", asked()], *steps]))
        named = events(await run(server, [["update", asked(**hint)], *steps]))
    assert "fitzooth" not in spoken(plain_said)
    assert "fitzooth" in spoken(named)
    for found in (plain_said, named):
        assert spoken(found)[-4:] == ["rear", "of", "the", "tent"]


async def test_a_server_that_stops_completes_what_it_has_heard(
    recognizer: Any, sound: Path, run: Callable[..., Any]
) -> None:
    async with serving(recognizer) as server:
        steps = [["update", MANUAL], ["audio", str(sound)], ["commit"], ["audio", str(sound)]]
        steps += [["wait", DONE], ["stay"]]
        client = asyncio.create_task(run(server, steps))
        heard = await native(server, sound.read_bytes())
        while (
            not server.context.metrics.registry.get_sample_value(
                "streamwhisper_audio_seconds_total"
            )
            >= 3 * sound.stat().st_size / 48000 - 0.2
        ):
            await asyncio.sleep(0.05)
        await server.shut_down()
        said = await client
    found = events(said)
    assert [plain(event["transcript"]) for event in completed(found)] == [heard, heard]


async def test_a_client_without_the_key_is_not_let_in(
    recognizer: Any, run: Callable[..., Any]
) -> None:
    async with serving(recognizer) as server:
        (failed,) = await run(server, [], key="sk-wrong")
        assert failed["kind"] == "failed"
        assert "401" in failed["message"]


async def test_who_asks_for_a_conversation_is_told_that_this_server_only_transcribes(
    recognizer: Any, run: Callable[..., Any]
) -> None:
    async with serving(recognizer) as server:
        (error, *_) = await run(server, [["stay"]], query={"intent": "conversation"})
        assert error["kind"] == "RealtimeErrorEvent"
        assert "intent=transcription" in error["message"]["error"]["message"]


@pytest.mark.parametrize("query", [{}, {"model": "gpt-realtime"}])
async def test_without_an_intent_the_session_transcribes(
    recognizer: Any, sound: Path, run: Callable[..., Any], query: dict[str, str]
) -> None:
    conversation = {"type": "realtime", "instructions": "Be kind."}
    steps = [["wait", "session.created"], ["update", conversation], ["wait", "error"]]
    steps += [["update", MANUAL], ["audio", str(sound)], ["commit"], ["wait", DONE]]
    async with serving(recognizer) as server:
        found = events(await run(server, steps, query=query))
    (error,) = of(found, "error")
    assert error["error"]["param"] == "session.type"
    assert spoken(found)


async def test_what_is_no_transcription_is_an_error_and_the_session_goes_on(
    recognizer: Any, sound: Path, run: Callable[..., Any]
) -> None:
    wrong = {"type": "transcription", "audio": {"input": {"transcription": {"language": "xx"}}}}
    async with serving(recognizer) as server:
        steps = [["respond"], ["wait", "error"], ["update", wrong], ["wait", "error"]]
        steps += [["update", MANUAL], ["audio", str(sound)], ["commit"], ["wait", DONE]]
        found = events(await run(server, steps))
    first, second = (event["error"] for event in of(found, "error"))
    assert first["code"] == "unsupported_event"
    assert second["param"] == "session.audio.input.transcription.language"
    assert spoken(found)


async def test_under_node_the_words_are_the_same(
    recognizer: Any, sound: Path, tmp_path: Path
) -> None:
    """That client speaks to encrypted servers alone."""
    folder = node_with("openai-node", "openai@7.57.0", "ws@8.21.0")
    node = shutil.which("node")
    assert node is not None
    certificate, key = self_signed(tmp_path / "tls")
    steps = [["update", MANUAL], ["audio", str(sound)], ["commit"], ["wait", DONE]]
    async with serving(recognizer, tls=load_certificate(certificate, key)) as server:
        url = f"https://127.0.0.1:{server.port}/v1"
        process = await asyncio.create_subprocess_exec(
            node,
            *(str(CLIENTS / "realtime_node.mjs"), str(folder), url, KEY, str(certificate)),
            json.dumps(steps),
            stdout=asyncio.subprocess.PIPE,
            stderr=sys.stderr,
        )
        async with asyncio.timeout(120):
            printed, _ = await process.communicate()
    said = [json.loads(line) for line in printed.splitlines()]
    assert said[-1] == {"kind": "closed", "message": 1000}
    found = [line["message"] for line in said if line["kind"] == "event"]
    check(found)
    assert not [line for line in said if line["kind"] == "error"]
    async with serving(recognizer) as server:
        assert spoken(found) == await native(server, sound.read_bytes())
