"""The Realtime session as its client sees it: what an update changes, and what is listened with."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.recognition import ModelInfo
from streamwhisper.server.dialects.openai_realtime.client_events import (
    CLIENT_EVENTS,
    InvalidRequest,
    Json,
)
from streamwhisper.server.dialects.openai_realtime.session_options import (
    Input,
    audio_format,
    padding,
    session_options,
)
from streamwhisper.server.dialects.openai_realtime.settings import (
    FIELDS,
    changed,
    from_beta,
    initial_session,
    to_beta,
)
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from tests.support.paths import DOCS

SESSION = initial_session("sess_1", "base")
MULTILINGUAL = ModelInfo("base", 80, multilingual=True)
ENGLISH = ModelInfo("tiny.en", 80, multilingual=False)
USUAL = SessionOptions()
PAGE = DOCS / "COMPATIBILITY.md"


def heard(session: Json) -> Any:
    return session["audio"]["input"]


def asked(session: Json = SESSION, **settings: Any) -> Json:
    return changed(session, {"type": "transcription", "audio": {"input": settings}})


def options(info: ModelInfo = MULTILINGUAL, **settings: Any) -> SessionOptions:
    return session_options(asked(**settings), USUAL, info)


def test_the_page_on_compatibility_says_what_the_code_does() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("## OpenAI Realtime")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    fields = [f"| `{path}` | {field.done} |" for path, field in FIELDS.items()]
    events = [f"| `{kind}` | {done} |" for kind, done in CLIENT_EVENTS.items()]
    assert rows == [*events, *fields]


def test_an_update_changes_what_it_names_and_leaves_the_rest() -> None:
    before = copy.deepcopy(SESSION)
    one = asked(transcription={"model": "whisper-1", "language": "de", "prompt": "Über"})
    two = asked(one, transcription={"language": "fr"}, noise_reduction={"type": "near_field"})
    assert heard(two)["transcription"] == {"model": "whisper-1", "language": "fr", "prompt": "Über"}
    assert heard(two)["noise_reduction"] == {"type": "near_field"}
    assert heard(two)["turn_detection"] == heard(SESSION)["turn_detection"]
    assert (two["id"], two["type"]) == ("sess_1", "transcription")
    assert before == SESSION


def test_null_clears() -> None:
    one = asked(
        transcription={"language": "de", "prompt": "Über"}, noise_reduction={"type": "far_field"}
    )
    two = asked(one, transcription={"prompt": None}, noise_reduction=None)
    assert heard(two)["transcription"] == {"model": "base", "language": "de"}
    assert heard(two)["noise_reduction"] is None
    three = asked(two, transcription=None, turn_detection=None, format=None)
    assert heard(three)["transcription"] is heard(three)["turn_detection"] is None
    assert heard(three)["format"] == {"type": "audio/pcm", "rate": 24000}
    assert heard(asked(three, transcription={"language": "it"}))["transcription"] == {
        "language": "it"
    }
    assert changed(SESSION, {"include": None})["include"] == []


def test_another_kind_of_turns_or_sound_begins_with_what_is_usual_for_it() -> None:
    one = asked(turn_detection={"type": "server_vad", "silence_duration_ms": 200})
    assert heard(one)["turn_detection"]["silence_duration_ms"] == 200
    two = asked(one, turn_detection={"threshold": 0.7})
    assert heard(two)["turn_detection"]["silence_duration_ms"] == 200
    three = asked(two, turn_detection={"type": "semantic_vad"}, format={"type": "audio/pcmu"})
    assert heard(three)["turn_detection"] == {"type": "semantic_vad", "eagerness": "auto"}
    assert heard(three)["format"] == {"type": "audio/pcmu", "rate": 8000}
    four = asked(three, turn_detection={"type": "server_vad"}, format={"type": "audio/pcm"})
    assert heard(four) == heard(SESSION)


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe"])
def test_models_that_never_detect_turns_do_so_only_if_asked(model: str) -> None:
    assert heard(asked(transcription={"model": model}))["turn_detection"] is None
    turns = {"type": "server_vad"}
    both = asked(transcription={"model": model}, turn_detection=turns)
    assert heard(both)["turn_detection"]["type"] == "server_vad"


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert asked(transcription={"temperature": 0.3}, color="red") == SESSION
    assert changed(SESSION, {"instructions": "Be kind.", "tools": []}) == SESSION


WRONG: list[tuple[Any, str]] = [
    (None, "session"),
    ("transcription", "session"),
    ({"type": "realtime"}, "session.type"),
    ({"audio": None}, "session.audio"),
    ({"audio": {"input": []}}, "session.audio.input"),
    ({"include": "logprobs"}, "session.include"),
]
WRONG_INPUT: list[tuple[Json, str]] = [
    ({"format": "pcm16"}, "format"),
    ({"format": {"type": "audio/opus"}}, "format.type"),
    ({"format": {"rate": 0}}, "format.rate"),
    ({"format": {"rate": 1e999}}, "format.rate"),
    ({"format": {"rate": True}}, "format.rate"),
    ({"transcription": {"model": 3}}, "transcription.model"),
    ({"transcription": {"language": ["en"]}}, "transcription.language"),
    ({"transcription": {"keywords": "Fitzooth"}}, "transcription.keywords"),
    ({"transcription": {"delay": "none"}}, "transcription.delay"),
    ({"turn_detection": {"type": "vad"}}, "turn_detection.type"),
    ({"turn_detection": {"threshold": 1.5}}, "turn_detection.threshold"),
    ({"turn_detection": {"threshold": float("nan")}}, "turn_detection.threshold"),
    ({"turn_detection": {"silence_duration_ms": -1}}, "turn_detection.silence_duration_ms"),
    ({"noise_reduction": {"type": "loud"}}, "noise_reduction.type"),
]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        *WRONG,
        *(({"audio": {"input": c}}, f"session.audio.input.{p}") for c, p in WRONG_INPUT),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_what_was_expected(
    change: Any, param: str
) -> None:
    with pytest.raises(InvalidRequest, match="expected") as caught:
        changed(SESSION, change)
    assert caught.value.param == param


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.sampled_from([*FIELDS, "audio.input.turn_detection"]), VALUES)))
def test_whatever_is_asked_for_is_refused_or_can_be_listened_with(
    changes: list[tuple[str, Any]],
) -> None:
    session = SESSION
    for path, value in changes:
        change = value
        for name in reversed(path.split(".")):
            change = {name: change}
        try:
            updated = changed(session, change)
            session_options(updated, USUAL, MULTILINGUAL)
            audio_format(updated)
        except InvalidRequest:
            continue
        session = updated


def test_the_words_of_the_beta_mean_the_same() -> None:
    change = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": "So"},
        "turn_detection": {"type": "server_vad", "threshold": 0.4},
        "input_audio_noise_reduction": {"type": "near_field"},
        "include": ["item.input_audio_transcription.logprobs"],
    }
    session = changed(SESSION, from_beta(change))
    assert heard(session)["format"] == {"type": "audio/pcmu", "rate": 8000}
    shown = to_beta(session)
    assert shown["turn_detection"].pop("threshold") == 0.4
    assert {name: shown[name] for name in change} == change | {
        "turn_detection": shown["turn_detection"]
    }
    assert heard(changed(session, from_beta({"turn_detection": None})))["turn_detection"] is None
    with pytest.raises(InvalidRequest, match='"pcm16", "g711_ulaw", "g711_alaw"'):
        from_beta({"input_audio_format": "mp3"})


# What is listened with.


def test_server_vad_is_the_gate_with_a_fixed_silence() -> None:
    found = options(
        turn_detection={
            "type": "server_vad",
            "threshold": 0.3,
            "prefix_padding_ms": 700,
            "silence_duration_ms": 250,
        }
    )
    assert found.endpoint.kind == "fixed"
    gate = found.gate
    assert (gate.threshold, gate.pre_roll, gate.silence) == (0.3, 0.7, 0.25)
    assert gate.negative_threshold < gate.threshold


def test_eagerness_moves_the_pauses_that_end_an_item() -> None:
    low, auto, high = (
        options(turn_detection={"type": "semantic_vad", "eagerness": eagerness})
        for eagerness in ("low", "auto", "high")
    )
    assert {o.endpoint.kind for o in (low, auto, high)} == {"sentence"}
    assert (auto.gate, auto.endpoint) == (USUAL.gate, USUAL.endpoint)
    for one in ("sooner", "later"):
        pauses = [getattr(each.endpoint, one) for each in (low, auto, high)]
        assert pauses == sorted(pauses, reverse=True)
        assert len(set(pauses)) == 3
    assert low.gate.silence > auto.gate.silence > high.gate.silence


@pytest.mark.parametrize(("asked_for", "heard"), [(0, 0.3), (600, 0.6), (10_000, 1.5)])
def test_what_the_client_counts_to_speech_may_differ_from_what_is_heard(
    asked_for: int, heard: float
) -> None:
    session = asked(turn_detection={"prefix_padding_ms": asked_for})
    found = session_options(session, USUAL, MULTILINGUAL)
    assert found.gate.pre_roll == heard
    assert padding(session, found) == asked_for / 1000


def test_language_prompt_keywords_and_delay_reach_the_session() -> None:
    found = options(
        transcription={
            "language": "German",
            "prompt": "Über Füchse.",
            "keywords": ["Montfichet"],
            "delay": "high",
        }
    )
    assert found.language == "de"
    assert found.window.initial_prompt == "Über Füchse."
    assert found.vocabulary == ("Montfichet",)
    assert found.update_interval == USUAL.tuned("accurate").update_interval
    assert not found.partials
    several = options(transcription={"languages": ["de", "fr"]})
    assert isinstance(several.language, LanguageDetection)
    assert several.language.candidates == ("de", "fr")


def test_an_english_model_takes_english_from_a_list_of_guesses() -> None:
    found = options(ENGLISH, transcription={"languages": ["de", "en-GB"]}).language
    assert isinstance(found, LanguageDetection)
    assert found.candidates == ("en",)


def test_the_newest_of_language_and_languages_counts() -> None:
    one = asked(transcription={"languages": ["de", "fr"]})
    two = asked(one, transcription={"language": "it"})
    assert session_options(two, USUAL, MULTILINGUAL).language == "it"
    three = asked(two, transcription={"languages": ["de", "fr"]})
    assert isinstance(session_options(three, USUAL, MULTILINGUAL).language, LanguageDetection)


@pytest.mark.parametrize(
    ("transcription", "name"),
    [
        ({"language": "de"}, "language"),
        ({"languages": ["fr", "de"]}, "language"),
        ({"language": "Klingon"}, "language"),
        ({"language": "yue"}, "language"),
        ({"keywords": ["x"] * 1001}, "keywords"),
    ],
)
def test_what_the_model_cannot_do_is_named(transcription: Json, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        options(ENGLISH, transcription=transcription)
    assert caught.value.param == f"session.audio.input.transcription.{name}"


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ({"type": "audio/pcm"}, AudioFormat("pcm_s16le", 24000)),
        ({"type": "audio/pcm", "rate": 16000}, AudioFormat("pcm_s16le", 16000)),
        ({"type": "audio/pcmu"}, AudioFormat("mulaw", 8000)),
        ({"type": "audio/pcma", "rate": 16000}, AudioFormat("alaw", 16000)),
    ],
)
def test_the_sound_is_what_the_client_says(format: Json, expected: AudioFormat) -> None:
    assert audio_format(asked(format=format)) == expected


def test_sound_goes_on_where_its_format_changes() -> None:
    tone = np.sin(np.arange(24000) / 10)
    pcm = (tone * 32767).astype("<i2").tobytes()
    input = Input(AudioFormat("pcm_s16le", 24000))
    first = input.decode(pcm + b"\0")  # half a sample more
    input.change(AudioFormat("pcm_s16le", 16000))
    rest = [input.decode(pcm), input.finish()]
    alone = AudioDecoder(AudioFormat("pcm_s16le", 24000))
    expected = np.concatenate([alone.decode(pcm), alone.finish()])
    found = np.concatenate([first, *rest])
    assert len(found) == len(expected) + 24000
    np.testing.assert_array_equal(found[: len(expected)], expected)
