"""The Realtime dialect over a real session: what each event brings, good or bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, SERVER_FAULT, Close
from tests.support.examples import examples
from tests.support.realtime import (
    CLEAR,
    COMMIT,
    Talk,
    append,
    check,
    completed,
    of,
    pcm,
    types,
    update,
)
from tests.support.scripted import OPTIONS, RATE, ScriptedRecognizer, script

SCRIPT = script(20.0)
HEARD = ScriptedRecognizer(SCRIPT)
MANUAL = update(format=pcm(RATE), turn_detection=None)
DETECTED = update(format=pcm(RATE))


def talk(*events: Any, **how: Any) -> Talk:
    talk = Talk(HEARD, OPTIONS, **how)
    talk.send(*events)
    return talk


def sent(talk: Talk, sound: bytes, size: int = 9600) -> None:
    for at in range(0, len(sound), size):
        talk.send(append(sound[at : at + size]))


def transcripts(talk: Talk) -> str:
    texts = (event["transcript"] for event in completed(talk.events))
    return " ".join(text for text in texts if text)


def test_the_session_is_there_from_the_start_with_what_holds_for_it() -> None:
    (created,) = Talk().heard()
    assert created["type"] == "session.created"
    session = created["session"]
    assert session["type"] == "transcription"
    assert session["object"] == "realtime.transcription_session"
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_a_file_sent_as_raw_audio_is_named() -> None:
    one = talk(MANUAL, append(b"\x1aE\xdf\xa3" + bytes(4000)))
    (error,) = of(one.events, "error")
    assert error["error"]["code"] == "audio_format"
    assert "begins like a WebM or Matroska file, but pcm_s16le" in error["error"]["message"]
    assert one.dialect.closing == Close(CLIENT_FAULT, "audio_format")


def test_with_detection_every_turn_is_an_item_from_speech_to_its_transcript() -> None:
    one = talk(DETECTED)
    sent(one, SCRIPT.pcm)
    one.send(COMMIT)
    check(one.events)
    assert transcripts(one) == SCRIPT.text
    first = completed(one.events)[0]["item_id"]
    order = [
        event["type"]
        for event in one.events
        if event.get("item_id", event.get("item", {}).get("id")) == first
        and not event["type"].endswith("delta")
    ]
    assert order == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert not of(one.events, "error")


def test_text_comes_while_the_sound_does() -> None:
    one = talk(MANUAL)
    sent(one, SCRIPT.pcm[: 8 * 2 * RATE])
    deltas = of(one.events, "conversation.item.input_audio_transcription.delta")
    assert len(deltas) > 3
    assert not completed(one.events)


def test_without_detection_nothing_but_a_commit_ends_an_item() -> None:
    one = talk(MANUAL)
    sent(one, SCRIPT.pcm)
    assert not of(one.events, "input_audio_buffer.committed")
    assert not of(one.events, "input_audio_buffer.speech_started")
    heard = one.send(COMMIT)
    assert types(heard)[:3] == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    (done,) = completed(one.events)
    assert done["transcript"] == SCRIPT.text
    assert done["usage"] == {"type": "duration", "seconds": pytest.approx(20.0, abs=0.01)}
    check(one.events)


@pytest.mark.parametrize("padding", [0, 300, 10_000])
def test_speech_begins_where_the_padding_before_it_does(padding: int) -> None:
    one = talk(update(format=pcm(RATE), turn_detection={"prefix_padding_ms": padding}))
    sent(one, bytes(5 * 2 * RATE) + SCRIPT.pcm[: 4 * 2 * RATE])
    two = talk(DETECTED)
    sent(two, SCRIPT.pcm[: 4 * 2 * RATE])
    starts = [of(each.events, "input_audio_buffer.speech_started")[0] for each in (one, two)]
    began, usual = (start["audio_start_ms"] for start in starts)
    assert began == pytest.approx(usual + 5000 + 300 - min(padding, 1500), abs=40)
    assert completed(one.events)


def test_a_long_silence_is_told_once_and_again_after_speech() -> None:
    quiet = bytes(6 * 2 * RATE)
    one = talk(update(format=pcm(RATE), turn_detection={"idle_timeout_ms": 2000}))
    sent(one, quiet)
    sent(one, SCRIPT.pcm[: 4 * 2 * RATE])
    sent(one, quiet)
    check(one.events)
    first, second = of(one.events, "input_audio_buffer.timeout_triggered")
    assert (first["audio_start_ms"], first["audio_end_ms"]) == (0, pytest.approx(2000, abs=350))
    assert second["audio_end_ms"] - second["audio_start_ms"] == pytest.approx(2000, abs=350)
    texts = {event["item_id"]: event["transcript"] for event in completed(one.events)}
    assert texts[first["item_id"]] == texts[second["item_id"]] == ""
    assert len(texts) > 2


def test_turns_may_be_detected_or_not_at_any_time_and_no_word_is_lost() -> None:
    one = Talk(HEARD, OPTIONS)
    one.send(update(format=pcm(RATE)))
    for number, at in enumerate(range(0, len(SCRIPT.pcm), 3 * RATE)):
        one.dialect.receive(SCRIPT.pcm[at : at + 3 * RATE])
        one.listen(number % 3)
        one.send(update(turn_detection=None if number % 2 else {"type": "server_vad"}))
    one.send(update(turn_detection=None), COMMIT)
    check(one.events)
    assert set(transcripts(one).split()) >= set(SCRIPT.text.split()[:-2])
    assert not of(one.events, "error")


def test_sound_may_come_before_the_first_update_and_is_kept() -> None:
    one = Talk(HEARD, OPTIONS)
    usual = soxr.resample(SCRIPT.sound[: 3 * RATE], RATE, 24000) * 32767
    one.dialect.receive(usual.astype("<i2").tobytes())
    one.dialect.receive(json.dumps(MANUAL))
    sent(one, SCRIPT.pcm[3 * 2 * RATE :])
    one.send(COMMIT)
    check(one.events)
    assert transcripts(one).split()[-1] == SCRIPT.text.split()[-1]
    assert len(completed(one.events)) == 1


# What holds for any sound cut anywhere, and whenever the recognizer answers.

STEPS = st.lists(
    st.one_of(
        st.integers(1, 40_000),
        st.sampled_from(["commit", "clear", "answer", "answer", "answer"]),
    ),
    max_size=30,
)


@given(st.booleans(), STEPS)
@settings(max_examples=examples(25))
def test_whatever_comes_when_each_commit_is_answered_and_no_word_is_lost(
    detecting: bool, steps: list[Any]
) -> None:
    one = Talk(HEARD, OPTIONS)
    one.send(DETECTED if detecting else MANUAL)
    at, commits, clears, refused = 0, 0, 0, 0
    for step in steps:
        if step == "answer":
            one.listen(1)
        elif step == "commit":
            one.dialect.receive(json.dumps(COMMIT))
            commits += 1
        elif step == "clear":
            one.dialect.receive(json.dumps(CLEAR))
            clears += 1
        else:
            one.dialect.receive(SCRIPT.pcm[at : at + step])
            at = min(len(SCRIPT.pcm), at + step)
        refused += len(of(one.heard(), "error"))
    one.dialect.finish(None, Close(NORMAL))
    one.listen()
    one.heard()
    check(one.events)
    assert one.dialect.closing == Close(NORMAL)
    committed = of(one.events, "input_audio_buffer.committed")
    assert {e["item_id"] for e in completed(one.events)} == {e["item_id"] for e in committed}
    assert len(committed) >= commits - refused
    if detecting:
        assert refused == 0
    words = transcripts(one).split()
    assert words == sorted(set(words), key=lambda word: int(word[1:]))
    if not commits and not clears:  # a commit may fall into a word
        reach = at / 2 / RATE - 1.0
        said = [f"w{n}" for n, start in enumerate(SCRIPT.starts) if start < reach]
        assert words[: len(said)] == said


# Commits.


def test_an_empty_commit_is_an_error_without_detection_and_none_with_it() -> None:
    one = talk(MANUAL, append(bytes(3198)))
    (error,) = one.send(COMMIT | {"event_id": "mine"})
    assert error["type"] == "error"
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert error["error"]["event_id"] == "mine"
    assert types(one.send(append(bytes(2)), COMMIT))[-1].endswith("completed")
    two = talk(DETECTED)
    sent(two, SCRIPT.pcm[: 3 * 2 * RATE])
    (done,) = completed(two.events)
    heard = two.send(COMMIT)
    assert types(heard)[0] == "input_audio_buffer.committed"
    assert completed(heard)[0]["transcript"] == ""
    assert completed(heard)[0]["item_id"] != done["item_id"]
    check(two.events)


def test_a_commit_in_the_middle_of_a_turn_ends_the_item_and_the_rest_is_another() -> None:
    one = talk(DETECTED)
    sent(one, SCRIPT.pcm[: 5 * 2 * RATE])
    one.send(COMMIT)
    sent(one, SCRIPT.pcm[5 * 2 * RATE : 8 * 2 * RATE])
    check(one.events)
    items = [event["transcript"] for event in completed(one.events)]
    assert len(items) == 3
    starts = of(one.events, "input_audio_buffer.speech_started")
    assert starts[2]["audio_start_ms"] == 5000
    assert len(of(one.events, "input_audio_buffer.speech_stopped")) == 2


def test_what_is_cleared_is_in_no_transcript() -> None:
    for first in (MANUAL, DETECTED):
        one = talk(first)
        sent(one, SCRIPT.pcm[: 5 * 2 * RATE])
        before = len(completed(one.events))
        assert "input_audio_buffer.cleared" in types(one.send(CLEAR))
        sent(one, SCRIPT.pcm[5 * 2 * RATE : 7 * 2 * RATE])
        one.send(COMMIT)
        check(one.events)
        words = " ".join(e["transcript"] for e in completed(one.events)[before:]).split()
        begun = [SCRIPT.starts[int(word[1:])] for word in words]
        assert begun
        assert min(begun) > 4.5


@pytest.mark.parametrize("first", [MANUAL, DETECTED])
def test_what_was_committed_is_not_cleared_though_it_is_not_heard_yet(first: Any) -> None:
    one = talk(first)
    one.dialect.receive(SCRIPT.pcm[: 5 * 2 * RATE])
    one.dialect.receive(json.dumps(COMMIT))
    one.dialect.receive(SCRIPT.pcm[5 * 2 * RATE : 7 * 2 * RATE])
    one.dialect.receive(json.dumps(CLEAR))
    one.dialect.receive(SCRIPT.pcm[7 * 2 * RATE : 10 * 2 * RATE])
    one.listen()
    one.send(COMMIT)
    check(one.events)
    begun = [SCRIPT.starts[int(word[1:])] for word in transcripts(one).split()]
    assert [start for start in SCRIPT.starts if start < 4.2] == [b for b in begun if b < 4.2]
    assert not [start for start in begun if 5.4 < start < 6.4]
    assert [start for start in begun if start > 7.5]


def test_commits_that_pile_up_are_refused_and_the_session_goes_on() -> None:
    one = talk(DETECTED)
    for _ in range(100):
        one.dialect.receive(json.dumps(COMMIT))
    errors = of(one.heard(), "error")
    assert {error["error"]["code"] for error in errors} == {"too_many_commits"}
    one.listen()
    assert len(completed(one.heard())) + len(errors) == 100
    assert completed(one.send(COMMIT))


# Ends.


def test_whoever_stops_the_session_every_word_is_completed_before_it_closes() -> None:
    for first in (MANUAL, DETECTED):
        one = talk(first)
        sent(one, SCRIPT.pcm[: 10 * 2 * RATE])
        one.dialect.finish(None, Close(GOING_AWAY))
        assert one.dialect.closing is None
        one.dialect.receive(json.dumps(append(SCRIPT.pcm)))
        one.listen()
        one.heard()
        check(one.events)
        assert one.dialect.closing == Close(GOING_AWAY)
        assert len(transcripts(one).split()) >= len([s for s in SCRIPT.starts if s < 9])
        assert not of(one.events, "error")


def test_a_session_that_fails_says_so_of_each_item_that_waits() -> None:
    one = talk(MANUAL, append(SCRIPT.pcm[: 3 * 2 * RATE]))
    one.dialect.receive(json.dumps(COMMIT))
    one.dialect.fail(ErrorMessage("recognition_failed", "so", True), Close(SERVER_FAULT))
    failed, error = one.heard()[-2:]
    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert failed["item_id"] == of(one.events, "input_audio_buffer.committed")[0]["item_id"]
    assert failed["error"]["code"] == error["error"]["code"] == "recognition_failed"
    assert error["error"]["type"] == "server_error"


def test_who_does_not_ask_for_transcription_is_told_that_there_is_nothing_else() -> None:
    one = Talk(transcription=False)
    (error,) = one.send(DETECTED)
    assert error["error"]["type"] == "invalid_request_error"
    assert "only transcribes" in error["error"]["message"]
    assert one.dialect.closing == Close(CLIENT_FAULT, "unsupported_intent")


def test_a_conversation_is_refused_with_the_reason_and_the_session_goes_on() -> None:
    one = Talk()
    asked = {"type": "realtime", "instructions": "Be kind.", "output_modalities": ["audio"]}
    created, error = one.send({"type": "session.update", "event_id": "e", "session": asked})
    assert created["type"] == "session.created"
    assert error["error"]["param"] == "session.type"
    assert error["error"]["event_id"] == "e"
    assert error["error"]["message"].startswith(
        'session.type is "realtime"; expected "transcription": this server only transcribes.'
    )
    (updated,) = one.send(update(format=pcm(RATE)))
    assert updated["type"] == "session.updated"


def test_fields_of_the_beta_count_in_an_update_of_a_session_as_well() -> None:
    one = Talk()
    flat = {
        "type": "transcription",
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "turn_detection": None,
    }
    _, updated = one.send({"type": "session.update", "session": flat})
    heard = updated["session"]["audio"]["input"]
    assert heard["format"] == {"type": "audio/pcmu", "rate": 8000}
    assert heard["transcription"]["language"] == "en"
    assert heard["turn_detection"] is None
    conversation = {"type": "realtime", "turn_detection": None}
    (error,) = one.send({"type": "session.update", "session": conversation})
    assert error["error"]["param"] == "session.type"
