"""OpenAI's REST interface: what its own client reads, and what it is told of what cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper import LocalOptions, load_model, transcribe
from streamwhisper.audio.files import read_audio, write_wav
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.rest.openai import FIELDS, FORMATS, IGNORED
from streamwhisper.subtitles.writers import SubtitleOptions, render
from streamwhisper.transcription.options import TranscriptionOptions, WordOptions
from streamwhisper.whisper.search import SearchOptions
from tests.support.paths import SAMPLE
from tests.support.processes import serving as process_serving
from tests.support.recordings import recording
from tests.support.rest import (
    KEY,
    STAGE,
    TRANSCRIPTIONS,
    ask,
    call,
    form,
    post,
    serving,
    table_of,
)

SOUND = SAMPLE.read_bytes()
PLAIN = TranscriptionOptions(search=SearchOptions(timestamps=False))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The first sentence of the sample."""
    file = tmp_path_factory.mktemp("short") / "short.wav"
    write_wav(file, read_audio(SAMPLE)[:40_000])
    return file.read_bytes()


def wanted(format: str = "json", resource: str = "transcriptions", **arguments: Any) -> Any:
    arguments = {"model": "whisper-1", "response_format": format, **arguments}
    return {"resource": resource, "file": str(SAMPLE), "arguments": arguments}


async def test_the_real_client_reads_every_format_and_the_text_is_that_of_a_transcript(
    recognizer: Any, tmp_path: Path
) -> None:
    short = tmp_path / "short.wav"
    write_wav(short, read_audio(SAMPLE)[:112_000])
    asked = [
        *(wanted(format) for format in FORMATS),
        wanted("verbose_json", timestamp_granularities=["word", "segment"]),
        wanted("verbose_json", timestamp_granularities=["word"], model=recognizer.info.name),
    ]
    async with serving(recognizer) as server:
        *answers, both, words = await call(
            server,
            "openai",
            *({**one, "file": str(short)} for one in asked),
        )
    found = dict(zip(FORMATS, answers, strict=True))
    plain, timed = (transcribe(recognizer, short, one) for one in (PLAIN, TranscriptionOptions()))
    assert len(plain.text.split()) > 15
    assert found["json"]["text"] == plain.text.strip()
    assert found["json"]["usage"] == {"type": "duration", "seconds": 7.0}
    assert found["text"] == render(plain, "txt")
    layout = SubtitleOptions(by_segment=True)
    assert found["srt"] == render(timed, "srt", layout)
    assert found["vtt"] == render(timed, "vtt", layout)
    verbose = found["verbose_json"]
    assert (verbose["text"], verbose["language"]) == (timed.text.strip(), "english")
    assert verbose["duration"] == pytest.approx(7.0, abs=0.01)
    assert [s["text"] for s in verbose["segments"]] == [s.text for s in timed.segments]
    assert "words" not in verbose
    spoken = transcribe(recognizer, short, TranscriptionOptions(words=WordOptions()))
    times = [
        {"word": word.word.strip(), "start": word.start, "end": word.end}
        for segment in spoken.segments
        for word in segment.words or ()
    ]
    assert words["words"] == both["words"] == times
    assert len(both["segments"]) == len(spoken.segments)
    assert "segments" not in words


async def test_a_stream_brings_deltas_that_make_up_the_text(
    recognizer: Any, tmp_path: Path
) -> None:
    long = tmp_path / "long.wav"
    write_wav(long, np.tile(read_audio(SAMPLE), 2))
    async with serving(recognizer) as server:
        asked = [wanted(stream=True), wanted(stream=True, include=["logprobs"]), wanted()]
        *streams, whole = await call(server, "openai", *({**a, "file": str(long)} for a in asked))
    for *deltas, done in streams:
        assert len(deltas) >= 2
        assert {event["type"] for event in deltas} == {"transcript.text.delta"}
        assert done["type"] == "transcript.text.done"
        assert "".join(event["delta"] for event in deltas) == done["text"] == whole["text"]
    *deltas, done = streams[1]
    weighed = [one for event in deltas for one in event["logprobs"]]
    assert done["logprobs"] == weighed
    assert "".join(one["token"] for one in weighed).strip() == done["text"]
    assert all(bytes(map(int, one["bytes"])).decode() == one["token"] for one in weighed)
    assert all(-25 < one["logprob"] <= 0 for one in weighed)


async def test_models_are_listed_and_others_are_not_found(recognizer: Any) -> None:
    async with serving(recognizer) as server:
        listed, one, other, unknown, usual = await call(
            server,
            "openai",
            {"resource": "models"},
            {"resource": "model", "arguments": {"id": recognizer.info.name}},
            {"resource": "model", "arguments": {"id": "gpt-9"}},
            wanted(model="gpt-9"),
            wanted(model="gpt-4o-mini-transcribe"),
        )
    assert usual["text"]
    assert [model["id"] for model in listed] == ["whisper-1", recognizer.info.name]
    assert one["id"] == recognizer.info.name
    for refused in (other, unknown):
        assert refused["status"] == 404
        assert refused["error"]["code"] == "model_not_found"
        assert recognizer.info.name in refused["error"]["message"]


async def test_what_cannot_be_is_said_in_the_clients_own_errors(
    recognizer: Any, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.mp3"
    noise.write_bytes(b"no sound at all" * 100)
    asked = [
        wanted(language="de"),
        wanted(resource="translations"),
        {**wanted(), "file": str(noise)},
    ]
    async with serving(recognizer, access=AccessOptions(keys=(STAGE,))) as server:
        german, translated, broken = await call(server, "openai", *asked)
        [stranger] = await call(server, "openai", wanted(), key="another-key")
    for refused, status, field, code, said in (
        (german, 400, "language", "unsupported", "only supports English"),
        (translated, 400, "model", "unsupported", "cannot translate"),
        (broken, 400, "file", "invalid_audio", "cannot be read"),
        (stranger, 401, None, "invalid_api_key", "Access token not accepted"),
    ):
        assert (refused["status"], refused["error"]["param"]) == (status, field)
        assert (refused["error"]["type"], refused["error"]["code"]) == (
            "invalid_request_error",
            code,
        )
        assert said in refused["error"]["message"]


async def test_a_translation_is_english(base_path: Path, speech: Any) -> None:
    base = load_model(base_path, LocalOptions(dtype="float32", threads=1))
    file = speech.folder / speech.clip("fleurs-cuttledoc/fleurs-de-003")["path"]
    async with serving(base) as server:
        asked = wanted("verbose_json", "translations")
        [found] = await call(server, "openai", {**asked, "file": str(file)})
    english = transcribe(base, file, TranscriptionOptions(task="translate"))
    assert english.segments[0].temperature == 0  # nothing was drawn by chance
    assert (found["text"], found["language"]) == (english.text.strip(), "english")
    assert [s["text"] for s in found["segments"]] == [s.text for s in english.segments]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"response_format": "mp3"}, "response_format", 'expected one of "json", "text", "srt"'),
        ({"temperature": "hot"}, "temperature", "expected a number from 0 to 1"),
        ({"temperature": "1.5"}, "temperature", "expected a number from 0 to 1"),
        ({"temperature": "nan"}, "temperature", "expected a number from 0 to 1"),
        ({"language": "elvish"}, "language", "unknown language"),
        ({"stream": "maybe"}, "stream", "expected true or false"),
        (
            {"stream": "true", "response_format": "srt"},
            "stream",
            "needs response_format json or text, not srt",
        ),
        ({"include[]": "speakers"}, "include[]", 'expected one of "logprobs"'),
        ({"include[]": "logprobs", "response_format": "vtt"}, "include[]", "need response_format"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities[]", "verbose_json"),
        (
            {"timestamp_granularities": "letter"},
            "timestamp_granularities[]",
            'one of "word", "segment"',
        ),
        ({"langauge": "en"}, "langauge", "did you mean 'language'?"),
    ],
)
async def test_a_field_that_means_nothing_is_named(
    recognizer: Any, fields: dict[str, str], field: str, said: str
) -> None:
    async with serving(recognizer) as server:
        answer = await post(server, SOUND, **fields)
    assert (answer.status, answer.error["param"]) == (400, field)
    assert said in answer.error["message"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "spelling",
    [
        {"timestamp_granularities": "word"},
        {"timestamp_granularities[0]": "word"},
        {"timestamp_granularities": '["word"]'},
    ],
)
async def test_a_list_may_be_spelled_without_brackets_with_a_number_or_as_json(
    recognizer: Any, caplog: pytest.LogCaptureFixture, short: bytes, spelling: dict[str, str]
) -> None:
    with caplog.at_level("INFO", "streamwhisper.server.rest.openai"):
        async with serving(recognizer) as server:
            fields = {"response_format": "verbose_json", "vad_filter\n": "true", **spelling}
            answer = await post(server, short, **fields)
    assert [word["word"] for word in answer.json["words"]]
    assert "segments" not in answer.json
    (line,) = [r.getMessage() for r in caplog.records if "ignored unknown" in r.getMessage()]
    assert "vad_filter" in line
    assert "\n" not in line


async def test_track_and_channel_can_be_chosen_and_times_are_those_of_the_file(
    recognizer: Any,
) -> None:
    speech = read_audio(SAMPLE)[:40_000]
    data = recording("mkv", np.zeros_like(speech), speech, starts=[0.0, 3.0], picture=7.0)
    empty = recording("wav", speech)
    empty = empty[: empty.index(b"data") + 4] + bytes(4)
    async with serving(recognizer) as server:
        silent = await post(server, data, audio_track="1")
        late = await post(server, data, audio_track="2", response_format="verbose_json")
        wrong = [await post(server, data, **{name: "9"}) for name in ("audio_track", "channel")]
        nothing = await post(server, empty)
    assert (silent.status, silent.json["text"]) == (200, "")
    assert late.json["text"].lower().startswith("good morning")
    assert late.json["segments"][0]["start"] == pytest.approx(3.7, abs=0.3)
    assert [one.status for one in wrong] == [400, 400]
    assert "the file has 2 audio tracks; expected 1 to 2" in wrong[0].error["message"]
    assert "the audio has 1 channel" in wrong[1].error["message"]
    assert (nothing.status, nothing.json["text"]) == (200, "")


async def test_what_is_no_form_with_a_file_is_said(recognizer: Any) -> None:
    body, kind = form(SOUND)
    async with serving(recognizer) as server:
        none = await post(server, None)
        empty = await post(server, b"")
        asked = [
            await ask(server, "POST", TRANSCRIPTIONS, body, Content_Type=other)
            for other in ("application/json", "multipart/form-data", f"{kind}x")
        ]
        wrong = await ask(server, "GET", TRANSCRIPTIONS)
        nowhere = await ask(server, "POST", "/v1/audio/speech", b"")
    assert (none.status, none.error["param"]) == (400, "file")
    assert (empty.status, empty.error["code"]) == (400, "invalid_audio")
    assert all("multipart/form-data" in one.error["message"] for one in asked)
    assert [one.status for one in [*asked, wrong, nowhere]] == [400, 400, 400, 405, 404]
    assert nowhere.error["code"] == "not_found"


def test_a_server_and_the_command_write_the_same(tiny_en_path: Path, tmp_path: Path) -> None:
    """In processes of their own, as they are started in a shell."""
    body, kind = form(SOUND, response_format="verbose_json")
    with process_serving(tiny_en_path, tmp_path / "log", "--rest-port", "0") as server:
        line = next(
            line for line in server.log.read_text().splitlines() if "accepting recordings" in line
        )
        connection = HTTPConnection("127.0.0.1", int(line.rpartition(":")[2].split("/")[0]))
        headers = {"Content-Type": kind, "Authorization": f"Bearer {KEY}"}
        connection.request("POST", "/v1/audio/transcriptions", body, headers)
        found = json.loads(connection.getresponse().read())
        connection.close()
        assert server.stop() == 0
    command = [sys.executable, "-m", "streamwhisper", "transcribe", str(SAMPLE), "--json"]
    command += ["--model", str(tiny_en_path), "--threads", "1"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(shown.stdout)
    assert found["text"] == told["text"].strip()
    assert [s["text"] for s in found["segments"]] == [s["text"] for s in told["segments"]]


def test_the_page_on_clients_lists_what_is_read() -> None:
    assert table_of("Fields of OpenAI's forms") == {"file", "model", *FIELDS, *IGNORED}
