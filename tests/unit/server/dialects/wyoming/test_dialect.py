"""Wyoming's dialogue over real sessions, in step and without a socket."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.dialect import CLIENT_FAULT, GOING_AWAY, NORMAL, Close
from streamwhisper.server.dialects.wyoming.dialect import MAX_TEXT, SILENCE_SECONDS, WyomingDialect
from streamwhisper.server.dialects.wyoming.events import WyomingEvent
from streamwhisper.server.dialects.wyoming.requests import FIELDS, SENSITIVITIES, Transcription
from streamwhisper.session.language import LanguageDetection
from tests.support.examples import examples
from tests.support.paths import DOCS
from tests.support.scripted import OPTIONS, script
from tests.support.sessions import session_factory
from tests.support.wyoming_dialogue import (
    FORMAT,
    SECONDS,
    Conversation,
    chunks,
    event,
    joined,
    kinds,
    only,
    utterance,
)

ENGLISH = ModelInfo("tiny.en", 80, multilingual=False)
MULTILINGUAL = ModelInfo("base", 80, multilingual=True)


def test_text_comes_while_one_speaks_and_the_chunks_are_the_transcript() -> None:
    talk = Conversation()
    while_speaking = talk.say(*utterance())
    assert kinds(while_speaking)[:2] == ["transcript-start", "transcript-chunk"]
    at_the_end = talk.say(event("audio-stop"))
    answers = while_speaking + at_the_end
    assert kinds(answers)[-2:] == ["transcript", "transcript-stop"]
    assert kinds(answers).count("transcript-start") == 1
    assert joined(answers) == only(answers, "transcript")["text"] == script(SECONDS).text
    assert only(answers, "transcript")["language"] == "en"
    assert talk.dialect.closing is None


def test_who_reads_nothing_until_the_end_gets_all_text_in_one_chunk() -> None:
    talk = Conversation()
    for frame in [*utterance(), event("audio-stop")]:
        talk.dialect.receive(frame)
        talk.dialect.collect()
    answers = talk.listen()
    assert kinds(answers)[0] == "transcript-start"
    assert kinds(answers).count("transcript-chunk") < 10
    assert joined(answers) == only(answers, "transcript")["text"] == script(SECONDS).text


def test_utterances_follow_each_other_and_those_sent_too_soon_wait() -> None:
    talk = Conversation()
    again = b"".join([*utterance(), event("audio-stop")])
    answers = talk.say(again + again + event("ping", text="all?"))
    assert kinds(answers).count("transcript") == 2
    assert kinds(answers)[-1] == "pong"
    texts = [data["text"] for kind, data in answers if kind == "transcript"]
    assert texts == [script(SECONDS).text] * 2


def test_while_a_transcript_is_awaited_nothing_else_is_taken_in() -> None:
    talk = Conversation()
    for frame in [*utterance(), event("audio-stop")]:
        talk.dialect.receive(frame)
    assert not talk.dialect.can_receive
    talk.listen()
    assert talk.dialect.can_receive


def test_what_nobody_reads_is_bounded() -> None:
    talk = Conversation(MULTILINGUAL)
    talk.dialect.receive(event("describe") * 1000)
    assert not talk.dialect.can_receive
    first = talk.dialect.outgoing()
    assert sum(map(len, first)) < 100_000
    rest = [frame for _ in range(1000) for frame in talk.dialect.outgoing()]
    assert len(first) + len(rest) == 1000


def test_no_sound_has_an_empty_transcript() -> None:
    for frames in ([event("audio-start", **FORMAT)], [event("transcribe")], []):
        answers = Conversation().say(*frames, event("audio-stop"))
        assert kinds(answers) == ["transcript-start", "transcript", "transcript-stop"]
        assert only(answers, "transcript")["text"] == ""


def test_chunks_need_no_start_before_them() -> None:
    answers = Conversation().say(*chunks(script(SECONDS).pcm), event("audio-stop"))
    assert only(answers, "transcript")["text"] == script(SECONDS).text


@pytest.mark.parametrize(("width", "channels"), [(1, 1), (3, 2), (4, 3)])
def test_samples_of_any_width_and_number_of_channels_are_heard(width: int, channels: int) -> None:
    sound = np.repeat(script(SECONDS).sound, channels).astype(np.float64)
    if width == 1:
        pcm = (sound * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = (sound * (2 ** (8 * width - 1) - 1)).astype("<i4")
        pcm = whole.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    form = {"width": width, "channels": channels}
    start = event("audio-start", **{**FORMAT, **form})
    size = 1600 * width * channels
    answers = Conversation().say(start, *chunks(pcm, size, **form), event("audio-stop"))
    said = only(answers, "transcript")["text"].split()
    assert len(set(said) & set(script(SECONDS).text.split())) > 0.8 * len(said) > 10


def test_the_first_utterance_is_the_command_where_the_client_leaves_that_to_the_server() -> None:
    for talk, asked in (
        (Conversation(), {"vad_sensitivity": "default"}),
        (Conversation(endpointing=True), {}),
    ):
        early = talk.say(*utterance(**asked))
        text = only(early, "transcript")["text"]
        assert text
        assert script(SECONDS).text.startswith(text)
        assert len(text) < len(script(SECONDS).text)
        # The sound after it is left out up to the stop, which needs no second transcript.
        assert talk.say(event("audio-stop")) == []
        again = talk.say(*utterance(**asked), event("audio-stop"))
        assert only(again, "transcript")["text"] == text


def test_a_command_that_does_not_come_is_over_after_a_while_and_a_late_one_is_heard() -> None:
    silence = chunks(bytes(32000))
    talk = Conversation(endpointing=True)
    assert talk.say(*(silence * int(SILENCE_SECONDS))) == []
    assert only(talk.say(*(silence * 2)), "transcript")["text"] == ""
    late = Conversation(endpointing=True)
    late.say(*(silence * int(SILENCE_SECONDS - 1)))
    text = only(late.say(*chunks(script(SECONDS).pcm)), "transcript")["text"]
    assert text
    assert script(SECONDS).text.startswith(text)
    assert Conversation().say(*(silence * 20)) == []


def test_what_a_transcribe_asks_for_holds_for_the_session() -> None:
    usual = Transcription(OPTIONS)
    asked = WyomingEvent(
        "transcribe",
        {
            "name": "base",
            "language": "de-AT",
            "context": {"room": "kitchen"},
            "transcript_names": ["Anna", "Licht"],
            "transcript_terms": ["Licht", "Ofen"],
        },
    )
    read = Transcription.read(asked, MULTILINGUAL, usual)
    assert read.options == replace(OPTIONS, language="de", vocabulary=("Anna", "Licht", "Ofen"))
    assert read.context == {"room": "kitchen"}
    assert not read.endpointing
    assert Transcription.read(WyomingEvent("transcribe"), MULTILINGUAL, usual) == usual


def test_the_sensitivity_says_how_long_a_silence_ends_a_command() -> None:
    silences = {}
    for name in SENSITIVITIES:
        asked = WyomingEvent("transcribe", {"vad_sensitivity": name})
        read = Transcription.read(asked, ENGLISH, Transcription(OPTIONS))
        assert read.endpointing
        endpoint = read.options.endpoint
        silences[name] = (
            read.options.gate.silence,
            endpoint.silence_after_sentence,
            endpoint.silence_mid_sentence,
        )
    for quick, usual, patient in zip(
        silences["aggressive"], silences["default"], silences["relaxed"], strict=True
    ):
        assert quick < usual < patient


def test_a_context_comes_back_with_the_transcript() -> None:
    answers = Conversation().say(*utterance(context={"a": [1]}), event("audio-stop"))
    assert only(answers, "transcript")["context"] == {"a": [1]}
    assert only(answers, "transcript-start")["context"] == {"a": [1]}


def test_a_transcribe_holds_until_the_next_one() -> None:
    talk = Conversation()
    start, stop = event("audio-start", **FORMAT), event("audio-stop")
    answers = talk.say(event("transcribe", context={"a": 1}), start, stop, start, stop)
    answers += talk.say(event("transcribe"), start, stop)
    contexts = [data.get("context") for kind, data in answers if kind == "transcript"]
    assert contexts == [{"a": 1}, {"a": 1}, None]


def test_a_model_is_described_with_the_languages_that_it_knows() -> None:
    english = only(Conversation(ENGLISH).say(event("describe")), "info")["asr"][0]
    assert english["models"][0]["languages"] == ["en"]
    many = Conversation(MULTILINGUAL, endpointing=True).say(event("describe"))
    program = only(many, "info")["asr"][0]
    assert len(program["models"][0]["languages"]) == 99
    assert "yue" not in program["models"][0]["languages"]
    assert (english["requires_external_vad"], program["requires_external_vad"]) == (True, False)
    some = WyomingDialect(
        MULTILINGUAL,
        replace(OPTIONS, language=LanguageDetection(("de", "fr"))),
        Limits(),
        lambda: "x",
        session_factory(MULTILINGUAL),
    )
    some.receive(event("describe"))
    assert '"languages": ["de", "fr"]' in some.outgoing()[0]


@pytest.mark.parametrize(
    ("frames", "code", "said"),
    [
        ([b"nonsense\n"], "bad_json", "is not JSON"),
        ([event("transcribe", name="large")], "unknown_model", '"tiny.en"'),
        ([event("transcribe", language="de")], "unsupported_language", "only supports English"),
        ([event("transcribe", language=7)], "bad_field", '"language" of the "transcribe" event'),
        (
            [event("transcribe", transcript_terms=[1])],
            "bad_field",
            "[1]; expected a list of strings",
        ),
        ([event("transcribe", transcript_terms=["a" * 101])], "vocabulary_limit", "at most 1000"),
        ([event("transcribe", vad_sensitivity="high")], "bad_field", "default, relaxed, aggress"),
        ([event("select-program", name="piper")], "unknown_program", '"streamwhisper"'),
        ([event("audio-start", rate=16000, width=5, channels=1)], "audio_format", "1, 2, 3 or 4"),
        ([event("audio-start", rate=1, width=2, channels=1)], "audio_format", "4000 to 192000"),
        ([event("audio-start", rate="a", width=2, channels=1)], "bad_field", "a whole number"),
    ],
)
def test_what_cannot_be_is_an_error_and_the_end(frames: list[bytes], code: str, said: str) -> None:
    talk = Conversation(ENGLISH)
    answers = talk.say(*frames)
    assert kinds(answers) == ["error"]
    assert answers[0][1]["code"] == code
    assert said in answers[0][1]["text"]
    assert talk.dialect.closing == Close(CLIENT_FAULT, code)
    assert talk.errors == [code]
    assert talk.say(event("ping")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        b"nonsense\n",
        event("audio-start", **FORMAT),
        event("transcribe"),
        chunks(bytes(10), rate=8000)[0],
    ],
)
def test_a_mistake_while_one_speaks_comes_after_what_was_heard(wrong: bytes) -> None:
    talk = Conversation()
    answers = talk.say(*utterance(), wrong)
    assert only(answers, "transcript")["text"] == script(SECONDS).text
    assert kinds(answers)[-3:] == ["transcript", "transcript-stop", "error"]
    assert talk.dialect.closing is not None


def test_sound_that_ends_within_a_sample_has_its_transcript_and_an_error() -> None:
    answers = Conversation().say(*utterance(), *chunks(b"\0"), event("audio-stop"))
    assert only(answers, "transcript")["text"] == script(SECONDS).text
    assert only(answers, "error")["code"] == "audio_format"


def test_events_that_nobody_knows_are_left_out() -> None:
    known = event("run-pipeline", bytes(9), start_stage="asr", end_stage="asr")
    answers = Conversation().say(known, event("select-program", name="streamwhisper"))
    assert answers == []


def test_who_is_to_leave_hears_the_transcript_first() -> None:
    talk = Conversation()
    talk.say(*utterance())
    talk.dialect.retire(None, Close(GOING_AWAY))
    assert talk.dialect.closing is None
    answers = talk.say(event("audio-stop") + b"".join(utterance()))
    assert kinds(answers)[-2:] == ["transcript", "transcript-stop"]
    assert talk.dialect.closing == Close(GOING_AWAY)
    idle = Conversation()
    idle.dialect.finish(None, Close(NORMAL))
    assert idle.dialect.closing == Close(NORMAL)


def test_a_transcript_that_would_never_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwhisper.server.dialects.wyoming.dialect.MAX_TEXT", 20)
    assert MAX_TEXT > 100_000
    talk = Conversation()
    answers = talk.say(*utterance())
    assert len(only(answers, "transcript")["text"]) > 20
    assert only(answers, "error")["code"] == "transcript_too_long"


values = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.sampled_from([16000, 8000, 4, 2, 1])
    | st.sampled_from(["", "en", "de", "\ud800", "default", "relaxed", "tiny.en"])
    | st.lists(st.text(max_size=5), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
names = sorted({name for fields in FIELDS.values() for name in fields})
anything = st.builds(
    lambda kind, data, payload: event(kind, payload, **data),
    st.sampled_from([*FIELDS, "run-pipeline"]),
    st.dictionaries(st.sampled_from(names), values, max_size=3),
    st.binary(max_size=50),
)


@settings(max_examples=examples(60))
@example([event("audio-chunk", bytes(7))])
@given(st.lists(anything | st.sampled_from([event("audio-start", **FORMAT), event("transcribe")])))
def test_whatever_a_client_says_it_is_answered_or_told_what_is_wrong(frames: list[bytes]) -> None:
    talk = Conversation()
    answers = talk.say(*frames)
    closed = talk.dialect.closing is not None
    assert kinds(answers).count("error") == len(talk.errors) == closed
    answers += talk.say(event("audio-stop"))
    if not closed:  # only an incomplete sample at the end is an error, and comes last
        expected = ["transcript", "transcript-stop", *["error" for _ in talk.errors]]
        assert kinds(answers)[-len(expected) :] == expected
        assert talk.errors in ([], ["audio_format"])


def test_a_file_sent_as_raw_audio_is_named() -> None:
    answers = Conversation().say(event("audio-start", **FORMAT), *chunks(b"ID3\4\0" + bytes(4000)))
    assert "begins like an MP3 file, but pcm_s16le at 16000 Hz" in only(answers, "error")["text"]


def test_the_documentation_names_what_is_read_and_no_more() -> None:
    page = (DOCS / "COMPATIBILITY.md").read_text(encoding="utf-8")
    section = page.partition("\n## Wyoming\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| `")]
    listed: dict[str, set[str]] = {}
    for row in rows:
        kind, *fields = re.findall(r"`([^`]+)`", row)
        listed.setdefault(kind, set()).update(fields)
    read = {kind: set(fields) for kind, fields in FIELDS.items()}
    assert {kind: listed.get(kind) for kind in read} == read
    said = {"info", "transcript-start", "transcript-chunk", "transcript", "transcript-stop"}
    assert set(listed) - set(read) == {*said, "pong", "error"}
    for name in SENSITIVITIES:
        assert f"`{name}`" in section
