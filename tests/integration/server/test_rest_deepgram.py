"""Deepgram's REST interface for recordings: what its own client reads, and is told."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper import LocalOptions, load_model, transcribe
from streamwhisper.audio.files import read_audio
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.dialects.deepgram.formatting import bare
from streamwhisper.server.dialects.deepgram.query import FORMATTING
from streamwhisper.server.rest.deepgram_parameters import (
    ACCEPTED,
    LACKING,
    PARAMETERS,
    REFUSED,
    ResultOptions,
)
from streamwhisper.server.rest.deepgram_results import results_of
from streamwhisper.transcription.options import TranscriptionOptions, WordOptions
from tests.support.encoded_audio import contained
from tests.support.paths import SAMPLE
from tests.support.rest import KEY, STAGE, ask, call, serving, table_of

SOUND = SAMPLE.read_bytes()
LISTEN = "/v1/listen"


def wanted(**arguments: Any) -> dict[str, Any]:
    return {"resource": "file", "file": str(SAMPLE), "arguments": arguments}


async def test_the_real_client_reads_words_utterances_and_what_they_were_made_of(
    recognizer: Any,
) -> None:
    async with serving(recognizer) as server:
        plain, rich = await call(
            server,
            "deepgram",
            wanted(model="nova-3"),
            wanted(
                utterances=True,
                utt_split=0.5,
                smart_format=True,
                keyterm=["Good morning"],
                tag=["a", "b"],
                diarize=True,
                topics=False,
            ),
        )
    transcript = transcribe(recognizer, SAMPLE, TranscriptionOptions(words=WordOptions()))
    about = plain["metadata"]
    assert about["sha256"] == hashlib.sha256(SOUND).hexdigest()
    assert (about["duration"], about["channels"]) == (pytest.approx(22.95, abs=0.01), 1)
    [model] = about["models"]
    assert about["model_info"][model]["name"] == recognizer.info.name
    assert {"version", "arch"} <= set(about["model_info"][model])
    assert "warnings" not in about
    [[best]] = [channel["alternatives"] for channel in plain["results"]["channels"]]
    assert best["transcript"] == transcript.text.strip()
    words = [word for segment in transcript.segments for word in segment.words or ()]
    assert [word["punctuated_word"] for word in best["words"]] == [w.word.strip() for w in words]
    assert [word["start"] for word in best["words"]] == [word.start for word in words]
    assert [word["word"] for word in best["words"]][:4] == ["good", "morning", "and", "welcome"]
    assert all(0 < word["confidence"] <= 1 for word in best["words"])
    assert 0.5 < best["confidence"] <= 1
    assert "utterances" not in plain["results"]

    about, results = rich["metadata"], rich["results"]
    assert about["tags"] == ["a", "b"]
    assert [warning["parameter"] for warning in about["warnings"]] == ["diarize"]
    [[best]] = [channel["alternatives"] for channel in results["channels"]]
    spoken = results["utterances"]
    assert len(spoken) > 1
    assert " ".join(one["transcript"] for one in spoken) == best["transcript"]
    assert [word for one in spoken for word in one["words"]] == best["words"]
    for before, after in pairwise(spoken):
        assert after["start"] - before["end"] >= 0.5
    assert all({"id", "channel", "confidence"} <= set(one) for one in spoken)
    sentences = [s["text"] for p in best["paragraphs"]["paragraphs"] for s in p["sentences"]]
    assert " ".join(sentences) == best["transcript"]
    assert best["paragraphs"]["transcript"].split() == best["transcript"].split()


@pytest.mark.parametrize("encoding", ["linear16", "linear32"])
async def test_raw_samples_are_heard_as_the_address_says(recognizer: Any, encoding: str) -> None:
    samples = read_audio(SAMPLE)
    raw = {
        "linear16": (samples * 32767).astype("<i2").tobytes(),
        "linear32": samples.astype("<f4").tobytes(),
    }[encoding]
    async with serving(recognizer) as server:
        path = f"{LISTEN}?encoding={encoding}&sample_rate=16000"
        answer = await ask(server, "POST", path, raw, Content_Type="application/octet-stream")
    assert answer.json["metadata"]["duration"] == pytest.approx(22.95, abs=0.01)
    heard = answer.json["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert heard == transcribe(recognizer, SAMPLE).text.strip()


async def test_each_channel_has_its_own_transcript(recognizer: Any) -> None:
    first, second = read_audio(SAMPLE)[:112_000], read_audio(SAMPLE)[112_000:224_000]
    stereo = np.stack([first, second], axis=1)
    raw = (stereo * 32767).astype("<i2").tobytes()
    flac = contained("flac", "flac", 16000, stereo, "stereo")
    path = f"{LISTEN}?multichannel=true&utterances=true"
    async with serving(recognizer) as server:
        answers = [
            await ask(server, "POST", f"{path}&encoding=linear16&channels=2", raw),
            await ask(server, "POST", path, flac),
            await ask(server, "POST", f"{LISTEN}?channel=2", flac),
            await ask(server, "POST", f"{path}&channel=2", flac),
        ]
    expected = [transcribe(recognizer, part).text.strip() for part in (first, second)]
    for answer in answers[:2]:
        about, results = answer.json["metadata"], answer.json["results"]
        assert (about["duration"], about["channels"]) == (pytest.approx(7), 2)
        assert "warnings" not in about
        found = [own["alternatives"][0]["transcript"] for own in results["channels"]]
        assert found == expected
        assert {one["channel"] for one in results["utterances"]} == {0, 1}
        starts = [one["start"] for one in results["utterances"]]
        assert starts == sorted(starts)
    [only] = answers[2].json["results"]["channels"]
    assert only["alternatives"][0]["transcript"] == expected[1]
    assert answers[3].status == 400


async def test_the_language_is_found_where_that_is_asked_for(base_path: Path, speech: Any) -> None:
    base = load_model(base_path, LocalOptions(dtype="float32", threads=1))
    clip = next(c for c in speech.clips("picovoice-cheetah") if c["language"] == "de")
    sound = (speech.folder / clip["path"]).read_bytes()
    async with serving(base) as server:
        found, given = [
            (await ask(server, "POST", f"{LISTEN}?{query}", sound)).json["results"]["channels"][0]
            for query in ("detect_language=true", "language=de-DE")
        ]
    assert found["detected_language"] == "de"
    assert "detected_language" not in given
    assert found["alternatives"] == given["alternatives"]


async def test_an_address_is_not_fetched_and_a_stranger_is_not_served(recognizer: Any) -> None:
    async with serving(recognizer, access=AccessOptions(keys=(STAGE,))) as server:
        address = {"resource": "url", "arguments": {"url": f"http://127.0.0.1:{server.port}/"}}
        [fetched] = await call(server, "deepgram", address)
        [stranger] = await call(server, "deepgram", wanted(), key="another-key")
    assert fetched["status"] == 400
    assert "fetches nothing" in fetched["error"]["err_msg"]
    assert stranger["status"] == 401
    assert stranger["error"]["err_code"] == "INVALID_AUTH"
    assert stranger["error"]["request_id"] != fetched["error"]["request_id"]


@pytest.mark.parametrize(
    ("query", "sound", "said"),
    [
        ("callback=http://127.0.0.1/", SOUND, "callback is not supported"),
        ("redact=pci", SOUND, "cannot redact"),
        ("encoding=linear16&sample_rate=1", SOUND, "sample_rate is 1"),
        ("encoding=linear16&sample_rate=fast", SOUND, 'sample_rate is "fast"; expected a whole'),
        ("language=fr", SOUND, "only supports English"),
        (f"keyterm={'x' * 500}", SOUND, "a vocabulary of 1 entries"),
        ("utt_split=-1", SOUND, "expected a number from 0 to 60"),
        ("encoding=linear16", SOUND[:1], "the audio ended"),
        ("encoding=linear16", SOUND, "begins like a FLAC file, but pcm_s16le at 16000 Hz"),
        ("channel=2", SOUND, "channel is 2, but the audio has 1 channel"),
        ("audio_track=2", SOUND, "audio_track is 2, but the file has 1 audio track"),
        ("multichannel=true", b"nonsense" * 99, "cannot be read"),
        ("", b"", "there is no data"),
        ("", b"nonsense" * 99, "cannot be read"),
    ],
)
async def test_what_cannot_be_is_said(recognizer: Any, query: str, sound: bytes, said: str) -> None:
    async with serving(recognizer) as server:
        answer = await ask(server, "POST", f"{LISTEN}?{query}", sound, Authorization=f"Token {KEY}")
    assert (answer.status, said in answer.json["err_msg"]) == (400, True)
    assert answer.json["err_code"]
    assert answer.json["request_id"] == answer.headers["dg-request-id"]


async def test_the_text_is_written_as_it_is_asked_for_with_the_times_of_what_was_said(
    recognizer: Any,
) -> None:
    async with serving(recognizer) as server:
        plain, other = [
            await ask(server, "POST", f"{LISTEN}?{query}", SOUND, Authorization=f"Token {KEY}")
            for query in ("model=nova-3", "punctuate=false&replace=welcome:come%20in")
        ]
        wrong = await ask(
            server, "POST", f"{LISTEN}?numerals=perhaps", SOUND, Authorization=f"Token {KEY}"
        )
    before, after = (
        answer.json["results"]["channels"][0]["alternatives"][0] for answer in (plain, other)
    )
    expected = before["transcript"].lower().replace("welcome", "come in")
    assert after["transcript"].split() == [bare(word) for word in expected.split()]
    starts = {word["word"]: word["start"] for word in before["words"][:4]}
    moved = {word["word"]: word["start"] for word in after["words"][:5]}
    assert moved["come"] == starts["welcome"]
    assert moved["morning"] == starts["morning"]
    assert wrong.status == 400
    assert 'numerals is "perhaps"; expected true or false' in wrong.json["err_msg"]


def test_the_page_on_clients_lists_what_is_read() -> None:
    names = {*PARAMETERS, *FORMATTING, *ACCEPTED, *LACKING, *REFUSED}
    lists = (PARAMETERS, FORMATTING, ACCEPTED, LACKING, REFUSED)
    assert {*PARAMETERS} & {*FORMATTING} == {"smart_format"}
    assert len(names) == sum(map(len, lists)) - 1
    assert table_of("Parameters of Deepgram's addresses") == names


def test_silence_has_no_words_and_no_confidence() -> None:
    from streamwhisper.transcript import Transcript

    options = ResultOptions(utterances=True, paragraphs=True)
    results = results_of([Transcript("", (), "en", 2.0)], options)
    [[best]] = [channel["alternatives"] for channel in results["channels"]]
    assert (best["transcript"], best["confidence"], best["words"]) == ("", 0.0, [])
    assert results["utterances"] == best["paragraphs"]["paragraphs"] == []
    assert np.isfinite(best["confidence"])
