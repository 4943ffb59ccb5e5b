"""What an address asks of a Deepgram stream, and the page that says what is done of it."""

from __future__ import annotations

import math
import re

import pytest

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialects.deepgram.audio import ENCODINGS
from streamwhisper.server.dialects.deepgram.handshake import check, headers
from streamwhisper.server.dialects.deepgram.query import (
    ACCEPTED,
    SUPPORTED,
    UNSUPPORTED,
    ListenOptions,
    read_query,
)
from streamwhisper.session.language import LanguageDetection
from tests.support.paths import DOCS

PAGE = DOCS / "COMPATIBILITY.md"
ENGLISH = ModelInfo("tiny.en", 80, multilingual=False)


def read(**query: str | list[str]) -> ListenOptions:
    return read_query({n: [v] if isinstance(v, str) else v for n, v in query.items()})


def test_the_page_names_what_the_code_reads_and_nothing_else() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Deepgram\n")[1].split("\n###")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", section, re.MULTILINE)
    named = {name: done for names, done in rows for name in re.findall(r"`(\w+)`", names)}
    messages = {"KeepAlive", "Finalize", "CloseStream", "Configure"}
    assert set(named) == {*SUPPORTED, *ACCEPTED, *UNSUPPORTED, *messages}
    assert {name for name, done in named.items() if done.startswith("accepted")} == ACCEPTED
    assert {n for n, done in named.items() if done.startswith("not supported")} == UNSUPPORTED
    assert all(f"`{encoding}`" in named["encoding"] for encoding in ENCODINGS)


def test_without_a_query_everything_is_as_the_server_has_it() -> None:
    assert read() == ListenOptions()


def test_what_nobody_knows_is_ignored() -> None:
    assert read(telepathy="true", model="nova-9", tag=["a", "b"]) == ListenOptions()


def test_lists_may_be_spelled_with_brackets_or_as_json() -> None:
    assert read(**{"keyterm[]": "Ada", "keyterm[1]": "Grace"}).vocabulary == ("Ada", "Grace")
    assert read(keyterm='["Ada", "Grace"]').vocabulary == ("Ada", "Grace")


def test_the_answer_names_the_parameters_that_were_ignored() -> None:
    query = {"diarize": ["true"], "keyterm[]": ["a"], "tele\r\nX: y": ["1"], "token": ["secret"]}
    named = headers(query, "id")["dg-warning"]
    assert named == r"not supported by this server: diarize; unknown: tele\r\nX: y"
    assert headers({"model": ["nova-3"]}, "id") == {"dg-request-id": "id"}


@pytest.mark.parametrize(
    ("said", "meant"), [("true", True), ("True", True), ("false", False), ("False", False)]
)
def test_flags_may_be_written_as_any_client_does(said: str, meant: bool) -> None:
    assert read(interim_results=said).turns.interim_results is meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [("false", math.inf), ("true", None), ("25", None), ("500", 0.5), ("999999999999", 10.0)],
)
def test_endpointing_is_a_silence_within_reason(said: str, meant: float | None) -> None:
    assert read(endpointing=said).turns.endpointing == meant


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ({"language": "en-US"}, "en"),
        ({"language": "multi"}, LanguageDetection()),
        ({"language": ""}, LanguageDetection()),
        ({"language": "zh-TW"}, "zh-Hant"),
        ({"detect_language": "true"}, LanguageDetection()),
        ({"detect_language": "false", "language": "de"}, "de"),
        ({"detect_language": ["de", "fr"]}, LanguageDetection(candidates=("de", "fr"))),
        (
            {"language": "multi", "language_hint": ["de", "en-US"]},
            LanguageDetection(candidates=("de", "en")),
        ),
        ({"language_hint": "de"}, LanguageDetection(candidates=("de",))),
        ({"language": "fr", "language_hint": "de"}, "fr"),
    ],
)
def test_a_language_is_given_or_found(query: dict[str, str | list[str]], meant: object) -> None:
    assert read(**query).language == meant


def test_keyterms_and_keywords_are_one_vocabulary_without_boosts() -> None:
    asked = read(keyterm=["Ada Lovelace", ""], keywords=["Grace:2.5", "um:-3", "10:30"])
    assert asked.vocabulary == ("Ada Lovelace", "Grace", "10")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"encoding": "morse"}, 'encoding is "morse"; expected one of linear16'),
        ({"encoding": "g729"}, 'encoding is "g729"'),
        ({"encoding": "linear16"}, "without a sample_rate"),
        ({"sample_rate": "0"}, "expected a whole number from 4000 to 192000"),
        ({"channels": "65"}, "expected a whole number from 1 to 64"),
        ({"channels": "\u0669\u0669"}, "channels is"),
        ({"multichannel": "maybe"}, "expected true or false"),
        ({"endpointing": "soon"}, "expected milliseconds"),
        ({"utterance_end_ms": "-1"}, 'utterance_end_ms is "-1"'),
        ({"keyterm": "x" * 101}, "at most 1000 entries of at most 100 characters"),
        ({"replace": ":nothing"}, "expected SPOKEN:WRITTEN"),
        ({"replace": " ".join("a" * 13) + ":b"}, "13 words"),
        ({"encoding": "amr-nb", "channels": "2", "multichannel": "true"}, "has one channel"),
        ({"encoding": "opus", "channels": "3", "multichannel": "true"}, "opus has 1 or 2"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_what_was_expected(
    query: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read(**query)


@pytest.mark.parametrize("language", ["en-GB", "multi"])
def test_a_model_that_knows_english_alone_serves_it(language: str) -> None:
    check({"language": [language]}, ENGLISH)


@pytest.mark.parametrize("query", [{"language": ["de"]}, {"language_hint": ["de", "fr"]}])
def test_a_model_that_knows_english_alone_refuses_other_languages(
    query: dict[str, list[str]],
) -> None:
    with pytest.raises(HandshakeRejected, match="only supports English"):
        check(query, ENGLISH)


@pytest.mark.parametrize("query", [{"language": ["tlh"]}, {"detect_language": ["de", "tlh"]}])
def test_a_language_that_no_model_knows_is_refused_unless_this_one_does(
    query: dict[str, list[str]],
) -> None:
    with pytest.raises(HandshakeRejected, match="unknown language 'tlh'"):
        check(query, ModelInfo("base", 80, multilingual=True))
    check(query, ModelInfo("ours", 80, multilingual=True, languages=("de", "tlh")))
    with pytest.raises(HandshakeRejected, match="unknown language 'klingon'"):
        check({"language": ["klingon"]}, ModelInfo("base", 80, multilingual=True))


@pytest.mark.parametrize("query", [{"language": ["yue"]}, {"language_hint": ["en", "zh-yue"]}])
def test_a_language_that_the_model_lacks_is_refused_at_the_handshake(
    query: dict[str, list[str]],
) -> None:
    with pytest.raises(HandshakeRejected, match=r"base does not know Cantonese \(yue\)"):
        check(query, ModelInfo("base", 80, multilingual=True))
