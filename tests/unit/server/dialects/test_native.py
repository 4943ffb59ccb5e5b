"""The native dialect over a real session: what each frame brings, good or bad."""

from __future__ import annotations

import io
import json
import wave
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.events import Done, Flushed
from streamwhisper.protocol import (
    Ack,
    ErrorMessage,
    Pong,
    Ready,
    ServerMessage,
    Status,
)
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, Close
from streamwhisper.server.dialects.native import NativeDialect
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from tests.support.examples import examples
from tests.support.native_dialogue import END, SECOND, START, Conversation, start
from tests.support.sessions import session_factory

MULTILINGUAL = ModelInfo("base", 80, multilingual=True)


def only_error(messages: list[ServerMessage]) -> ErrorMessage:
    (message,) = messages
    assert isinstance(message, ErrorMessage)
    return message


def test_start_is_answered_by_ready() -> None:
    (ready,) = Conversation().say(START)
    assert isinstance(ready, Ready)
    assert (ready.session, ready.model, ready.sample_rate) == ("session-1", "tiny.en", 16000)
    assert ready.protocol == 1
    assert len(ready.resume_token) > 16


def test_every_session_has_a_resume_token_of_its_own() -> None:
    (first,), (second,) = Conversation().say(START), Conversation().say(START)
    assert isinstance(first, Ready)
    assert isinstance(second, Ready)
    assert first.resume_token != second.resume_token


def test_ping_is_answered_before_and_after_start_and_after_end() -> None:
    talk = Conversation()
    ping = '{"type": "ping", "id": "x"}'
    assert talk.say(ping) == [Pong("x")]
    assert talk.say(START, ping)[-1] == Pong("x")
    talk.dialect.receive(END)
    talk.dialect.receive(ping)
    assert talk.heard() == [Pong("x")]


def test_silence_brings_status_and_no_text() -> None:
    talk = Conversation()
    messages = talk.say(START, *[SECOND] * 3, END)[1:]
    assert [type(message) for message in messages] == [Ack, Status] * 3 + [Done]
    assert messages[4] == Ack(48000, 96000)
    assert messages[-1] == Done(3.0, 0.0)
    assert talk.dialect.closing == Close(NORMAL)


@given(
    st.sampled_from([("pcm_s16le", 2), ("pcm_f32le", 4), ("mulaw", 1)]),
    st.sampled_from([8000, 16000, 44100]),
    st.sampled_from([1, 2]),
    st.lists(st.integers(1, 9000), min_size=1, max_size=60),
)
@settings(max_examples=examples(25))
def test_status_comes_once_a_second_and_ack_counts_whole_samples_of_the_client(
    encoding: tuple[str, int], rate: int, channels: int, sizes: list[int]
) -> None:
    name, width = encoding
    talk = Conversation()
    talk.say(start(encoding=name, sample_rate=rate, channels=channels))
    # mu-law has no zero byte for silence: 0xFF is it.
    messages = talk.say(*((b"\xff" if name == "mulaw" else b"\0") * size for size in sizes))
    acks = [message.samples for message in messages if isinstance(message, Ack)]
    states = [message for message in messages if isinstance(message, Status)]
    heard = sum(sizes) // (width * channels)
    assert len(acks) == len(states) <= heard / rate
    assert acks == sorted(set(acks))
    assert all(samples <= heard for samples in acks)
    for samples, state in zip(acks, states, strict=True):
        # A resampler holds a little back, never more than it was given.
        assert -1e-3 <= samples / rate - state.audio_seconds < 0.2
    gaps = np.diff([0.0, *(state.audio_seconds for state in states)])
    assert all(gap >= 0.999 for gap in gaps)


def test_status_says_how_much_of_the_time_was_spent_waiting() -> None:
    talk = Conversation()
    talk.say(START)
    talk.dialect.record_wait(0.25)
    talk.dialect.record_wait(0.25)
    (_, status) = talk.say(SECOND + SECOND)
    # Silence is judged at once, but for what does not fill a step of 32 ms.
    assert status == Status(lag_ms=16, real_time_factor=0.25, audio_seconds=2.0)
    (_, status) = talk.say(SECOND)
    assert isinstance(status, Status)
    assert status.real_time_factor == 0.0


def test_flush_is_answered_with_its_id() -> None:
    talk = Conversation()
    talk.say(START, SECOND)
    flushes = ['{"type": "flush", "id": "a"}', '{"type": "flush"}']
    assert talk.say(*flushes) == [Flushed("a"), Flushed(None)]


def test_flushes_that_pile_up_are_refused_and_the_session_goes_on() -> None:
    talk = Conversation()
    talk.say(START, SECOND)
    for number in range(100):
        talk.dialect.receive(json.dumps({"type": "flush", "id": str(number)}))
    errors = talk.heard()
    assert {type(error) for error in errors} == {ErrorMessage}
    talk.listen()
    answers = talk.heard()
    assert len(errors) + len(answers) == 100
    assert answers == [Flushed(str(number)) for number in range(len(answers))]
    assert talk.say('{"type": "flush", "id": "later"}') == [Flushed("later")]


@pytest.mark.parametrize("frame", [SECOND, b"\0", '{"type": "flush"}', END])
def test_anything_before_start_is_a_fatal_error(frame: str | bytes) -> None:
    talk = Conversation()
    error = only_error(talk.say(frame))
    assert (error.code, error.fatal) == ("no_start", True)
    assert '{"type": "start"}' in error.message
    assert talk.dialect.closing == Close(CLIENT_FAULT, "no_start")
    assert talk.say(START, SECOND) == []


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"encoding": "opus"}, "unknown_encoding", "container"),
        ({"sample_rate": 0}, "audio_format", "sample_rate"),
        ({"sample_rate": 10**9}, "audio_format", "sample_rate"),
        ({"channels": 0}, "audio_format", "channels"),
        ({"sample_rate": "16000"}, "bad_field", "a whole number"),
        ({"model": "large-v3"}, "unknown_model", '"tiny.en"'),
        ({"language": "de"}, "unsupported_language", "only supports English"),
        ({"language": "klingon"}, "unsupported_language", "klingon"),
        ({"languages": ["en", "fr"]}, "unsupported_language", '"fr"'),
        ({"languages": ["klingon"]}, "unsupported_language", "klingon"),
        ({"languages": "de"}, "bad_field", "a list of strings"),
        ({"language": "en", "languages": ["en"]}, "unsupported_language", "both"),
        ({"task": "translate"}, "unsupported_task", "transcribe"),
    ],
)
def test_a_start_that_cannot_be_is_a_fatal_error(
    fields: dict[str, Any], code: str, named: str
) -> None:
    talk = Conversation()
    error = only_error(talk.say(json.dumps({"type": "start", **fields})))
    assert (error.code, error.fatal) == (code, True)
    assert named in error.message
    assert talk.dialect.closing == Close(CLIENT_FAULT, code)
    assert talk.dialect.session is None


def test_the_served_model_may_be_named() -> None:
    assert isinstance(Conversation().say(start(model="tiny.en", language="en"))[0], Ready)


def test_a_multilingual_model_takes_any_of_its_languages() -> None:
    for language in ("de", "pt-BR", "Japanese", None):
        talk = Conversation(MULTILINGUAL)
        assert isinstance(talk.say(start(language=language, task="translate"))[0], Ready)
    assert talk.dialect.session is not None
    assert talk.dialect.session.options.task == "translate"
    for language in ("klingon", "yue"):
        error = only_error(Conversation(MULTILINGUAL).say(start(language=language)))
        assert error.code == "unsupported_language"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, LanguageDetection(candidates=("fr", "it"), min_probability=0.9)),
        ({"language": "auto"}, LanguageDetection(min_probability=0.9)),
        ({"language": ""}, LanguageDetection(candidates=("fr", "it"), min_probability=0.9)),
        ({"language": "zh-TW"}, "zh-Hant"),
        ({"language": "de-AT"}, "de"),
        (
            {"languages": ["German", "de", "pt-BR"]},
            LanguageDetection(candidates=("de", "pt"), min_probability=0.9),
        ),
        (
            {"language": "auto", "languages": ["nl"]},
            LanguageDetection(candidates=("nl",), min_probability=0.9),
        ),
    ],
)
def test_the_language_is_the_one_named_or_found_among_those_listed_or_else_as_the_server_does(
    fields: dict[str, Any], expected: str | LanguageDetection
) -> None:
    usual = SessionOptions(language=LanguageDetection(candidates=("fr", "it"), min_probability=0.9))
    dialect = NativeDialect(MULTILINGUAL, usual, "session-1", session_factory(MULTILINGUAL))
    dialect.receive(json.dumps({"type": "start", **fields}))
    assert dialect.session is not None
    assert dialect.session.options.language == expected


def test_a_vocabulary_that_is_too_big_is_refused_and_the_one_before_stays() -> None:
    talk = Conversation()
    (ready,) = talk.say(start(vocabulary=("Ada", "Grace")))
    assert isinstance(ready, Ready)
    assert talk.dialect.session is not None
    assert talk.dialect.session.options.vocabulary == ("Ada", "Grace")
    for words in (["word"] * 1001, ["a" * 101]):
        error = only_error(talk.say(json.dumps({"type": "vocabulary", "words": words})))
        assert (error.code, error.fatal) == ("vocabulary_limit", False)
    assert not talk.say('{"type": "vocabulary", "words": ["Lovelace"]}')
    assert isinstance(talk.say(SECOND, END)[-1], Done)


def test_a_start_with_too_big_a_vocabulary_is_refused() -> None:
    error = only_error(Conversation().say(start(vocabulary=("word",) * 1001)))
    assert (error.code, error.fatal) == ("vocabulary_limit", True)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "bad_json"),
        ("[]", "not_an_object"),
        ('{"kind": "end"}', "no_type"),
        ('{"type": "stop"}', "unknown_type"),
        ('{"type": "flush", "id": 1}', "bad_field"),
        (START, "already_started"),
    ],
)
def test_a_bad_message_in_mid_session_is_answered_and_harms_nothing(frame: str, code: str) -> None:
    talk = Conversation()
    talk.say(START, SECOND)
    error = only_error(talk.say(frame))
    assert (error.code, error.fatal) == (code, False)
    assert talk.dialect.closing is None
    assert talk.say(SECOND, END)[-1] == Done(2.0, 0.0)


def test_a_broken_start_is_fatal() -> None:
    talk = Conversation()
    assert only_error(talk.say('{"type": "start"')).fatal
    assert talk.dialect.closing == Close(CLIENT_FAULT, "bad_json")


def test_half_a_sample_at_the_end_is_said_and_the_rest_is_kept() -> None:
    talk = Conversation()
    talk.say(START, SECOND)
    error, done = talk.say(b"\0", END)
    assert isinstance(error, ErrorMessage)
    assert (error.code, error.fatal) == ("audio_format", False)
    assert "pcm_s16le" in error.message
    assert done == Done(1.0, 0.0)
    assert talk.dialect.closing == Close(NORMAL)


def test_what_comes_after_end_is_refused_and_done_still_comes() -> None:
    talk = Conversation()
    talk.say(START, SECOND)
    talk.dialect.receive(END)
    for frame in (SECOND, SECOND, SECOND, END, '{"type": "flush"}'):
        talk.dialect.receive(frame)
    errors = talk.heard()
    # Audio is refused once, however many chunks still come.
    assert [error.code for error in errors if isinstance(error, ErrorMessage)] == [
        "audio_after_end",
        "after_end",
        "after_end",
    ]
    assert not any(error.fatal for error in errors if isinstance(error, ErrorMessage))
    talk.listen()
    assert talk.heard() == [Done(1.0, 0.0)]


def test_audio_that_will_be_refused_need_not_wait_for_room() -> None:
    talk = Conversation()
    assert talk.dialect.can_receive
    talk.say(START)
    talk.dialect.receive(SECOND * 60)
    assert not talk.dialect.can_receive
    talk.dialect.receive(END)
    assert talk.dialect.can_receive


def test_a_container_that_cannot_be_read_is_a_fatal_error() -> None:
    talk = Conversation()
    talk.say(start(encoding="container"))
    error = only_error(talk.say(bytes(range(256)) * 200))
    assert (error.code, error.fatal) == ("audio_format", True)
    assert talk.dialect.closing == Close(CLIENT_FAULT, "audio_format")
    talk.dialect.release()


def test_a_file_sent_as_raw_audio_is_named() -> None:
    talk = Conversation()
    talk.say(START)
    error = only_error(talk.say(b"fLaC\0\0\0\x22" + bytes(4000)))
    assert (error.code, error.fatal) == ("audio_format", True)
    assert "begins like a FLAC file, but pcm_s16le at 16000 Hz" in error.message
    assert talk.dialect.closing == Close(CLIENT_FAULT, "audio_format")


def test_a_container_is_read_whatever_it_says_of_itself() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(48000)
        wav.writeframes(bytes(4 * 48000 * 2))
    talk = Conversation()
    talk.say(start(encoding="container"))
    messages = talk.say(*(file.getvalue()[at : at + 5000] for at in range(0, 400_000, 5000)), END)
    done = messages[-1]
    assert isinstance(done, Done)
    assert done.audio_seconds == pytest.approx(2.0, abs=0.01)
    talk.dialect.release()


def test_finish_without_a_session_closes_at_once() -> None:
    talk = Conversation()
    talk.dialect.finish(None, Close(GOING_AWAY, "bye"))
    assert talk.heard() == []
    assert talk.dialect.closing == Close(GOING_AWAY, "bye")


def test_finish_commits_first_and_then_says_the_error_in_the_place_of_done() -> None:
    talk = Conversation()
    talk.say(START, SECOND)
    error = ErrorMessage("idle_timeout", "nothing came", fatal=True)
    talk.dialect.finish(error, Close(CLIENT_FAULT, "idle_timeout"))
    talk.dialect.finish(None, Close(NORMAL))  # the first reason stands
    assert talk.dialect.closing is None
    talk.listen()
    assert talk.heard() == [error]
    assert talk.dialect.closing == Close(CLIENT_FAULT, "idle_timeout")
