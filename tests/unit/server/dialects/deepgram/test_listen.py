"""The Deepgram dialect over a real session: what each frame brings, good or bad."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.protocol import ErrorMessage
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, SERVER_FAULT, Close
from tests.support.deepgram_stream import (
    CLOSE,
    FINALIZE,
    ID,
    SCRIPT,
    SOUND,
    TEXT,
    Talk,
    finals,
    results,
    text_of,
    transcript,
    words_of,
)
from tests.support.examples import examples
from tests.support.scripted import INFO, RATE, ScriptedRecognizer


def test_final_texts_are_the_transcript_and_the_metadata_comes_last() -> None:
    talk = Talk()
    said = [*talk.stream(SOUND), *talk.say(CLOSE)]
    assert transcript(said) == TEXT
    assert said[-1] == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": ID,
        "sha256": hashlib.sha256(SOUND).hexdigest(),
        "created": "2026-01-02T00:00:00.000Z",
        "duration": len(SOUND) / 2 / RATE,
        "channels": 1,
        "models": said[-1]["models"],
        "model_info": said[-1]["model_info"],
    }
    assert talk.dialect.closing == Close(NORMAL)


class WithoutSpaces(ScriptedRecognizer):
    """Writes the script in a language that puts none between its words."""

    info = replace(INFO, multilingual=True, languages=())

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [
            replace(
                hypothesis,
                language="zh",
                words=tuple(replace(w, text=f"字{w.text.strip()}") for w in hypothesis.words),
            )
            for hypothesis in super().recognize(requests)
        ]


@settings(max_examples=examples(12))
@given(cuts=st.lists(st.integers(0, len(SOUND)), max_size=40))
def test_the_text_does_not_depend_on_where_the_sound_is_cut(cuts: list[int]) -> None:
    talk = Talk()
    edges = [0, *sorted(cuts), len(SOUND)]
    pieces = [SOUND[a:b] for a, b in itertools.pairwise(edges)]
    said = [*talk.say(*pieces), *talk.say(CLOSE)]
    assert transcript(said) == TEXT
    assert said[-1]["sha256"] == hashlib.sha256(SOUND).hexdigest()


def test_a_span_ends_where_the_next_begins_and_its_words_lie_in_it() -> None:
    talk = Talk(interim_results="true")
    said = results([*talk.stream(SOUND), *talk.say(CLOSE)])
    start = 0.0
    for result in said:
        assert result["start"] == start
        words = words_of(result)
        assert " ".join(word["punctuated_word"] for word in words) == text_of(result)
        for word in words:
            assert start - 0.01 <= word["start"] <= word["end"] <= start + result["duration"] + 0.01
            assert 0.9 < word["confidence"] <= 1
        if result["is_final"]:
            start = round(start + result["duration"], 3)
    assert len(finals(said)) > 2


def test_text_without_spaces_is_told_as_final_in_the_middle_of_an_utterance_as_well() -> None:
    """Chinese that goes on and on must not make its results ever longer."""
    talk = Talk(WithoutSpaces(SCRIPT), language="zh")
    assert any(not result["speech_final"] for result in finals(talk.stream(SCRIPT.pcm)))


def test_interim_results_are_sent_only_to_those_who_ask() -> None:
    talk = Talk()
    assert all(result["is_final"] for result in results(talk.stream(SOUND)))
    asked = Talk(interim_results="true")
    said = results(asked.stream(SOUND))
    interim = [result for result in said if not result["is_final"]]
    assert len(interim) > 10
    assert len({(result["start"], text_of(result)) for result in interim}) == len(interim)


def test_the_last_word_of_an_utterance_comes_with_speech_final() -> None:
    talk = Talk()
    said = finals(talk.stream(SCRIPT.pcm))
    ends = [result for result in said if result["speech_final"]]
    assert ends
    assert all(result["from_finalize"] is False for result in said)


def test_no_utterance_is_said_to_end_with_endpointing_false() -> None:
    talk = Talk(endpointing="false")
    said = finals([*talk.stream(SCRIPT.pcm), *talk.say(CLOSE)])
    assert not any(result["speech_final"] for result in said)
    assert transcript(said) == SCRIPT.text


def test_endpointing_sets_the_silence_that_ends_an_utterance() -> None:
    talk = Talk(endpointing="800")
    options = talk.dialect.sessions[0].options
    assert (options.gate.silence, options.endpoint.kind) == (0.8, "fixed")
    (breath,) = Talk(endpointing="25").dialect.sessions
    assert breath.options == Talk().dialect.sessions[0].options


def test_finalize_is_answered_with_all_that_was_heard() -> None:
    talk = Talk()
    cut = 2 * RATE * 5
    before = talk.stream(SOUND[:cut])
    (answer,) = talk.say(FINALIZE)
    assert (answer["is_final"], answer["from_finalize"], answer["channel_index"]) == (
        True,
        True,
        [0, 1],
    )
    assert answer["start"] + answer["duration"] == pytest.approx(5.0)
    heard = transcript([*before, answer])
    assert TEXT.startswith(heard)
    assert len(heard.split()) >= sum(start < 4.5 for start in SCRIPT.starts)
    rest = [*talk.stream(SOUND[cut:]), *talk.say(CLOSE)]
    assert f"{heard} {transcript(rest)}" == TEXT


def test_the_text_of_a_finalize_is_in_its_answer_and_ends_an_utterance() -> None:
    talk = Talk(interim_results="true")
    talk.stream(SOUND[: 2 * RATE * 5])
    (answer,) = talk.say(FINALIZE)
    assert text_of(answer)
    assert answer["speech_final"]
    (again,) = talk.say(FINALIZE)
    assert not again["speech_final"]


def test_each_utterance_ends_once_and_no_text_follows_its_end() -> None:
    talk = Talk(vad_events="true", interim_results="true")
    said = talk.stream(SCRIPT.pcm)
    talk.dialect.receive(FINALIZE)  # and both are heeded, in order
    said += talk.say(CLOSE)
    assert said[-1]["type"] == "Metadata"
    assert [result["from_finalize"] for result in finals(said)].count(True) == 1
    speaking = False
    for message in said:
        if message["type"] == "SpeechStarted" or (
            message["type"] == "Results" and text_of(message)
        ):
            speaking = True
        if message.get("speech_final"):
            assert speaking
            speaking = False
    assert not speaking


def test_finalize_is_answered_even_where_nothing_was_said() -> None:
    talk = Talk()
    for _ in range(2):
        (answer,) = talk.say(FINALIZE)
        assert answer["from_finalize"] is True
        assert text_of(answer) == ""
        assert words_of(answer) == []


def test_a_flood_of_finalizes_is_bounded_and_said() -> None:
    talk = Talk()
    for _ in range(100):
        talk.dialect.receive(FINALIZE)
    talk.listen()
    said = talk.heard()
    assert len([m for m in said if m["type"] == "Error"]) == 36
    assert len([m for m in said if m.get("from_finalize")]) == 64


def test_keep_alive_brings_no_answer() -> None:
    assert Talk().say('{"type": "KeepAlive"}') == []


def test_speech_is_said_to_start_to_those_who_ask() -> None:
    assert not [m for m in Talk().stream(SOUND) if m["type"] == "SpeechStarted"]
    started = [m for m in Talk(vad_events="true").stream(SOUND) if m["type"] == "SpeechStarted"]
    assert started[0]["channel"] == [0, 1]
    assert 0 <= started[0]["timestamp"] <= SCRIPT.starts[0]


def test_an_utterance_is_over_once_its_last_word_is_long_past() -> None:
    talk = Talk(utterance_end_ms="1000", interim_results="true")
    said = talk.stream(SOUND[: 2 * RATE * 5] + bytes(2 * RATE * 4))
    told = [m for m in said if m["type"] in ("Results", "UtteranceEnd")]
    over = [at for at, m in enumerate(told) if m["type"] == "UtteranceEnd"]
    assert len(over) == 2
    for at in over:
        before = told[at - 1]
        assert before["is_final"]
        assert told[at]["channel"] == [0, 1]
        assert told[at]["last_word_end"] == words_of(before)[-1]["end"]


def test_keyterms_can_be_replaced_in_the_middle_and_left_as_they_are() -> None:
    talk = Talk(keyterm="Ada")
    (session,) = talk.dialect.sessions
    assert session.options.vocabulary == ("Ada",)
    talk.stream(SOUND[: 2 * RATE * 4])
    (answer,) = talk.say('{"type": "Configure", "keyterms": ["Grace Hopper"]}')
    assert answer == {"type": "ConfigureSuccess", "request_id": ID, "keyterms": ["Grace Hopper"]}
    assert session._vocabulary == ("Grace Hopper",)
    (answer,) = talk.say('{"type": "Configure", "features": {"punctuate": false}}')
    assert answer == {"type": "ConfigureSuccess", "request_id": ID}
    assert session._vocabulary == ("Grace Hopper",)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"keyterms": ["x" * 101]}, "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"),
        ({"keyterms": "Ada"}, "INVALID_CONFIGURE_MESSAGE"),
        ({"features": {"telepathy": True}}, "INVALID_CONFIGURE_MESSAGE"),
        ({"features": {"punctuate": 1}}, "INVALID_CONFIGURE_MESSAGE"),
    ],
)
def test_a_configuration_that_cannot_be_heeded_changes_nothing(
    asked: dict[str, object], code: str
) -> None:
    talk = Talk(keyterm="Ada")
    (answer,) = talk.say(json.dumps({"type": "Configure", **asked}))
    assert (answer["type"], answer["code"]) == ("ConfigureFailure", code)
    assert answer["description"]
    assert talk.dialect.sessions[0]._vocabulary == ("Ada",)
    assert talk.errors == [code]


@pytest.mark.parametrize(
    "frame", ["{", "[]", "{}", '{"type": "Nonsense"}', '{"type": "Finalize", "channel": 7}']
)
def test_a_text_frame_that_cannot_be_read_is_answered_and_the_stream_goes_on(frame: str) -> None:
    talk = Talk()
    (answer,) = talk.say(frame)
    assert (answer["type"], answer["variant"]) == ("Error", "SchemaError")
    assert answer["description"]
    assert answer["message"]
    assert transcript([*talk.stream(SOUND), *talk.say(CLOSE)]) == TEXT


def test_sound_after_the_end_is_said_once_not_to_be_heard() -> None:
    talk = Talk()
    talk.stream(SOUND[:6400])
    talk.dialect.receive(CLOSE)
    talk.dialect.receive(bytes(320))
    talk.dialect.receive(bytes(320))
    talk.listen()
    said = talk.heard()
    assert [m["type"] for m in said if m["type"] != "Results"] == ["Error", "Metadata"]
    assert said[-1]["duration"] == 0.2


def test_who_is_silent_for_too_long_gets_its_text_and_the_close_of_deepgram() -> None:
    talk = Talk()
    before = talk.stream(SOUND)
    talk.dialect.finish(ErrorMessage("idle_timeout", "no message", True), Close(CLIENT_FAULT))
    talk.listen()
    said = [*before, *talk.heard()]
    assert transcript(said) == TEXT
    assert (said[-1]["type"], said[-1]["code"]) == ("Error", "NET-0001")
    assert talk.dialect.closing == Close(SERVER_FAULT, "NET-0001")
    assert talk.errors == ["idle_timeout"]


def test_sound_that_cannot_be_decoded_is_said_and_ends_the_stream() -> None:
    talk = Talk(query={})
    said = talk.say(b"this is no container of any kind, however long one looks at it" * 99)
    said += talk.say(bytes(99_000))
    assert (said[-1]["type"], said[-1]["code"]) == ("Error", "DATA-0000")
    assert talk.dialect.closing == Close(CLIENT_FAULT, "DATA-0000")


def test_half_a_sample_at_the_end_is_said_and_the_rest_is_kept() -> None:
    talk = Talk()
    said = [*talk.stream(SOUND + b"\1"), *talk.say(CLOSE)]
    assert transcript(said) == TEXT
    assert [m["code"] for m in said if m["type"] == "Error"] == ["DATA-0000"]
    assert said[-1]["duration"] == len(SOUND) / 2 / RATE


def test_a_server_that_stops_says_all_that_was_heard_and_the_metadata() -> None:
    talk = Talk()
    said = talk.stream(SOUND)
    talk.dialect.finish(None, Close(GOING_AWAY, "the server is shutting down"))
    talk.listen()
    said += talk.heard()
    assert len(transcript(said).split()) >= len(TEXT.split()) - 1
    assert said[-1]["type"] == "Metadata"
    assert talk.dialect.closing == Close(GOING_AWAY, "the server is shutting down")


@pytest.mark.parametrize("multichannel", ["true", "false"])
def test_a_file_sent_as_raw_audio_is_named(multichannel: str) -> None:
    talk = Talk(channels="2", multichannel=multichannel)
    said = talk.say(b"OggS\0\2" + bytes(4000))
    assert (said[-1]["type"], said[-1]["code"]) == ("Error", "DATA-0000")
    assert "begins like an Ogg file, but pcm_s16le" in json.dumps(said[-1])
    assert talk.dialect.closing == Close(CLIENT_FAULT, "DATA-0000")


def test_each_channel_is_listened_to_by_itself() -> None:
    """The second one has the same speech a second later."""
    left = np.frombuffer(SOUND, dtype="<i2")
    right = np.concatenate([np.zeros(RATE, "<i2"), left[:-RATE]])
    both = np.stack([left, right], axis=1).tobytes()
    talk = Talk(channels="2", multichannel="true", vad_events="true")
    said = [*talk.stream(both, 3201), *talk.say(CLOSE)]
    assert transcript(said, 0) == TEXT
    assert transcript(said, 1).startswith(TEXT[: len(TEXT) // 2])
    assert {tuple(m["channel_index"]) for m in said if m["type"] == "Results"} == {(0, 2), (1, 2)}
    assert {tuple(m["channel"]) for m in said if m["type"] == "SpeechStarted"} == {(0, 2), (1, 2)}
    assert (said[-1]["channels"], said[-1]["duration"]) == (2, len(SOUND) / 2 / RATE)


def test_finalize_may_be_for_one_channel() -> None:
    talk = Talk(channels="2", multichannel="true")
    (answer,) = talk.say('{"type": "Finalize", "channel": 1}')
    assert answer["channel_index"] == [1, 2]
    assert len(talk.say(FINALIZE)) == 2


def test_several_channels_are_mixed_unless_they_are_to_be_apart() -> None:
    left = np.frombuffer(SOUND, dtype="<i2")
    both = np.stack([left, left], axis=1).tobytes()
    talk = Talk(channels="2")
    said = [*talk.stream(both), *talk.say(CLOSE)]
    assert transcript(said) == TEXT
    assert said[-1]["duration"] == len(SOUND) / 2 / RATE


def test_without_punctuation_words_are_bare() -> None:
    talk = Talk(punctuate="false")
    said = [*talk.stream(SOUND), *talk.say(CLOSE)]
    assert transcript(said) == TEXT.lower()


QUERIES: list[dict[str, list[str]]] = [
    {},
    {"encoding": ["linear16"], "sample_rate": ["44100"], "channels": ["2"]},
    {"encoding": ["mulaw"], "sample_rate": ["8000"], "channels": ["3"], "multichannel": ["true"]},
    {"channels": ["2"], "multichannel": ["true"], "interim_results": ["true"]},
    {"encoding": ["opus"]},
    {"encoding": ["amr-nb"]},
]
FRAMES = st.one_of(
    st.binary(max_size=3000),
    st.text(max_size=60),
    st.sampled_from([FINALIZE, '{"type": "KeepAlive"}', '{"type": "Finalize", "channel": 1}']),
    st.builds(
        lambda fields: json.dumps({"type": "Configure", **fields}),
        st.dictionaries(st.sampled_from(["keyterms", "features"]), st.text() | st.lists(st.text())),
    ),
)


@settings(max_examples=examples(60))
@given(query=st.sampled_from(QUERIES), frames=st.lists(FRAMES, max_size=8))
def test_whatever_comes_is_answered_and_the_stream_ends_in_order(
    query: dict[str, list[str]], frames: list[str | bytes]
) -> None:
    talk = Talk(query=query)
    said = [*talk.say(*frames), *talk.say(CLOSE)]
    assert talk.dialect.closing is not None
    assert said[-1]["type"] in ("Metadata", "Error")
    talk.dialect.release()
