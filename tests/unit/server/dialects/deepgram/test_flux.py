"""Deepgram's turns over a real session: what each frame brings, good or bad."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from streamwhisper.protocol import ErrorMessage
from streamwhisper.server.dialect import CLIENT_FAULT, NORMAL, Close
from streamwhisper.server.dialects.deepgram import turns as turns_module
from streamwhisper.server.dialects.deepgram.flux_query import FLUX, read_flux
from streamwhisper.server.dialects.deepgram.turns import Thresholds
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from tests.support.deepgram_stream import CLOSE, SOUND, TEXT, FluxTalk, Message
from tests.support.paths import DOCS
from tests.support.scripted import OPTIONS, RATE, script

PAGE = DOCS / "COMPATIBILITY.md"
SCRIPT = script()
SILENCE = bytes(2 * RATE * 2)


def events(said: list[Message]) -> list[str]:
    return [m["event"] for m in said if m["type"] == "TurnInfo"]


def ends(said: list[Message]) -> list[Message]:
    return [m for m in said if m.get("event") == "EndOfTurn"]


def test_the_turns_are_the_transcript() -> None:
    talk = FluxTalk()
    said = [*talk.stream(SOUND), *talk.say(CLOSE)]
    assert " ".join(turn["transcript"] for turn in ends(said)) == TEXT
    assert talk.dialect.closing == Close(NORMAL)
    assert [m["sequence_id"] for m in said] == list(range(len(said)))
    assert said[0]["type"] == "Connected"


def test_each_turn_starts_once_and_ends_once() -> None:
    talk = FluxTalk()
    said = [*talk.stream(SCRIPT.pcm), *talk.say(CLOSE)]
    told = [m for m in said if m["type"] == "TurnInfo"]
    for index in {m["turn_index"] for m in told}:
        of_turn = events([m for m in told if m["turn_index"] == index])
        assert (of_turn[0], of_turn[-1]) == ("StartOfTurn", "EndOfTurn")
        assert set(of_turn[1:-1]) <= {"Update"}
    for before, after in itertools.pairwise(told):
        assert before["turn_index"] <= after["turn_index"] <= before["turn_index"] + 1
    words = [word for turn in ends(said) for word in turn["words"]]
    assert " ".join(word["word"] for word in words) == SCRIPT.text
    assert all(word["start"] < word["end"] and word["confidence"] > 0.9 for word in words)


def test_the_end_is_told_to_be_likely_before_it_is_told() -> None:
    talk = FluxTalk(options=SessionOptions(), eager_eot_threshold="0.4")
    said = [*talk.stream(SCRIPT.pcm), *talk.stream(SILENCE), *talk.say(CLOSE)]
    told = [m for m in said if m["type"] == "TurnInfo"]
    eager = [m for m in told if m["event"] == "EagerEndOfTurn"]
    assert eager
    for m in eager:
        assert m["end_of_turn_confidence"] >= 0.4
        after = told[told.index(m) + 1]
        assert after["event"] in ("EndOfTurn", "TurnResumed")
        if after["event"] == "EndOfTurn":
            assert after["transcript"] == m["transcript"]
            assert after["end_of_turn_confidence"] == 0.7
    assert "EagerEndOfTurn" not in events(FluxTalk().stream(SCRIPT.pcm))


def test_a_turn_can_be_ended_by_its_client() -> None:
    talk = FluxTalk()
    before = talk.stream(SOUND[: 2 * RATE * 5])
    said = talk.say('{"type": "ForceEndTurn"}')
    assert said[-1]["event"] == "EndOfTurn"
    assert said[-1]["trigger"] == "manual"
    rest = [*talk.stream(SOUND[2 * RATE * 5 :]), *talk.say(CLOSE)]
    assert " ".join(m["transcript"] for m in ends([*before, *said, *rest])) == TEXT


def test_a_flood_of_ends_is_bounded_and_said() -> None:
    talk = FluxTalk()
    for _ in range(70):
        talk.dialect.receive('{"type": "ForceEndTurn"}')
    talk.listen()
    assert [m["type"] for m in talk.heard()] == ["Connected", *["Warning"] * 6]


def test_a_turn_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "LONGEST", 2.0)
    talk = FluxTalk()
    said = [*talk.stream(SOUND), *talk.say(CLOSE)]
    assert "timeout" in {turn["trigger"] for turn in ends(said)}
    assert " ".join(turn["transcript"] for turn in ends(said)) == TEXT


def test_thresholds_make_silences_longer_or_shorter() -> None:
    usual = OPTIONS.gate.silence
    assert Thresholds().applied(OPTIONS) == OPTIONS
    patient = Thresholds(eot_threshold=0.9).applied(OPTIONS)
    assert patient.gate.silence == pytest.approx(usual * 0.9 / 0.7)
    assert patient.endpoint.silence_mid_sentence == pytest.approx(
        EndpointOptions().silence_mid_sentence * 0.9 / 0.7
    )
    hasty = Thresholds(eot_threshold=0.5, eot_timeout_ms=500).applied(OPTIONS)
    assert hasty.gate.silence == pytest.approx(usual * 0.5 / 0.7)
    assert hasty.endpoint.silence_after_sentence == hasty.endpoint.settle_time
    silent = Thresholds(eot_threshold=1, eot_timeout_ms=3000).applied(OPTIONS)
    assert (
        silent.gate.silence,
        silent.endpoint.silence_after_sentence,
        silent.endpoint.silence_mid_sentence,
    ) == (3.0, 3.0, 3.0)


def test_what_can_be_changed_is_and_the_rest_is_refused() -> None:
    talk = FluxTalk(keyterm="Ada")
    talk.heard()
    change = {"keyterms": ["Grace"], "numerals": "true", "thresholds": {"eager_eot_threshold": 0.5}}
    change["thresholds"]["eot_threshold"] = None  # as the SDK leaves it out
    (answer,) = talk.say(json.dumps({"type": "Configure", **change}))
    assert answer["type"] == "ConfigureSuccess"
    assert answer["keyterms"] == ["Grace"]
    assert answer["thresholds"]["eager_eot_threshold"] == 0.5
    assert talk.dialect.sessions[0]._vocabulary == ("Grace",)
    for wrong in (
        {"thresholds": {"eot_threshold": 0.9}},
        {"thresholds": {"eager_eot_threshold": 0.8}},
        {"thresholds": [1]},
        {"keyterms": 3},
        {"keyterms": ["x" * 101]},
    ):
        (answer,) = talk.say(json.dumps({"type": "Configure", **wrong}))
        assert answer["type"] == "ConfigureFailure"
        assert answer["description"]
    assert talk.dialect.sessions[0]._vocabulary == ("Grace",)


@pytest.mark.parametrize("frame", ["{", "[]", "{}", '{"type": "Nonsense"}'])
def test_a_text_frame_that_cannot_be_read_brings_a_warning(frame: str) -> None:
    talk = FluxTalk()
    talk.heard()
    (answer,) = talk.say(frame)
    assert (answer["type"], answer["code"]) == ("Warning", "BAD_MESSAGE")


def test_an_error_ends_the_stream_after_what_was_heard() -> None:
    talk = FluxTalk()
    said = talk.stream(SOUND)
    talk.dialect.finish(ErrorMessage("too_long", "enough", True), Close(CLIENT_FAULT, "too_long"))
    talk.listen()
    said += talk.heard()
    assert (said[-1]["type"], said[-1]["code"], said[-2]["event"]) == (
        "Error",
        "too_long",
        "EndOfTurn",
    )


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ({"model": "flux-general-en"}, "en"),
        ({"model": "flux-general-multi"}, None),
        (
            {"model": "flux-general-multi", "language_hint": "de"},
            LanguageDetection(candidates=("de",)),
        ),
    ],
)
def test_the_model_or_hints_tell_the_language(query: dict[str, str], language: object) -> None:
    assert read_flux({name: [value] for name, value in query.items()}).language == language


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"eot_threshold": "0.2"}, "eot_threshold is 0.2; expected 0.5 to 1"),
        ({"eot_threshold": "nan"}, "eot_threshold is nan"),
        ({"eager_eot_threshold": "0.8"}, "expected 0.3 to eot_threshold (0.7)"),
        ({"eot_timeout_ms": "50"}, "expected 500 to 10000"),
        ({"eot_threshold": "high"}, "expected a number"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(query: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_flux({name: [value] for name, value in query.items()})


def test_the_page_names_what_the_code_reads_and_nothing_else() -> None:
    section = PAGE.read_text(encoding="utf-8").split("### Flux\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \| .+ \|$", section, re.MULTILINE)
    named = {name for names in rows for name in re.findall(r"`(\w+)`", names)}
    accepted, missing = {"mip_opt_out", "tag"}, {"redact"}
    assert named == {*FLUX, *accepted, *missing, "CloseStream", "ForceEndTurn", "Configure"}
