"""Languages: every spelling that clients send, and the script in which text is written."""

from __future__ import annotations

import pytest

from streamwhisper.errors import UnknownLanguageError
from streamwhisper.languages import (
    LANGUAGES,
    Language,
    echo_start,
    language_code,
    language_name,
    normalize_language,
    parse_language,
)


def test_languages_are_the_reference_implementations() -> None:
    whisper = pytest.importorskip("whisper.tokenizer")
    assert list(LANGUAGES) == list(whisper.LANGUAGES)
    for name, code in whisper.TO_LANGUAGE_CODE.items():
        assert language_code(name) == code


@pytest.mark.parametrize(
    ("given_as", "tag"),
    [
        *[("en", "en"), ("EN", "en"), ("en-US", "en"), ("en_GB", "en"), (" English ", "en")],
        *[("en_GB.UTF-8", "en"), ("de_DE@euro", "de"), ("eng", "en"), ("ger", "de")],
        *[("Haitian Creole", "ht"), ("mandarin", "zh"), ("nb-NO", "no"), ("iw", "he")],
        *[("fil", "tl"), ("jv", "jw"), ("in-ID", "id"), ("es-419", "es"), ("pt-BR", "pt")],
        *[("zh", "zh"), ("cmn", "zh"), ("yue", "yue"), ("zh-yue", "yue"), ("my-MM", "my")],
    ],
)
def test_a_language_goes_by_code_tag_locale_or_name(given_as: str, tag: str) -> None:
    assert str(parse_language(given_as)) == tag
    assert language_code(given_as) == tag


@pytest.mark.parametrize(
    ("given_as", "tag"),
    [
        *[("zh-CN", "zh-Hans"), ("zh-Hans-CN", "zh-Hans"), ("zh_SG", "zh-Hans")],
        *[("zh-MY", "zh-Hans"), ("Simplified Chinese", "zh-Hans")],
        *[("zh-TW", "zh-Hant"), ("zh-HK", "zh-Hant"), ("zh-MO", "zh-Hant")],
        *[("cmn-Hant-TW", "zh-Hant"), ("Chinese (Traditional)", "zh-Hant")],
        *[("yue-HK", "yue-Hant"), ("sr-Latn", "sr-Latn"), ("sr_RS@latin", "sr-Latn")],
        *[("sr-Cyrl-RS", "sr-Cyrl"), ("de-Latn", "de"), ("en-HK", "en")],
    ],
)
def test_a_region_or_script_chooses_the_script_where_there_is_a_choice(
    given_as: str, tag: str
) -> None:
    assert str(parse_language(given_as)) == tag
    assert str(parse_language(tag)) == tag


@pytest.mark.parametrize("value", ["", " ", "auto", "AUTO", "multi", "und"])
def test_some_values_ask_for_detection(value: str) -> None:
    assert parse_language(value) is None
    assert normalize_language(value) == ""


@pytest.mark.parametrize("unknown", ["xx", "klingon", "-", "english please", "C", "tlh-KX"])
def test_unknown_languages_are_refused(unknown: str) -> None:
    with pytest.raises(UnknownLanguageError, match="unknown language"):
        parse_language(unknown)


def test_a_tag_that_whisper_does_not_know_is_left_to_the_model_but_a_word_is_not() -> None:
    assert normalize_language("gsw-CH") == "gsw-CH"
    assert normalize_language("English") == "en"
    with pytest.raises(UnknownLanguageError):
        normalize_language("klingon")


def test_a_name_without_a_language_has_no_code() -> None:
    with pytest.raises(UnknownLanguageError, match="unknown language 'auto'"):
        language_code("auto")


def test_a_model_may_have_languages_of_its_own() -> None:
    assert parse_language("jv", {"jv"}) == Language("jv")
    assert parse_language("xx-YY", {"xx"}) == Language("xx")


def test_a_language_is_named_in_messages_by_name_and_code() -> None:
    assert language_name("yue") == "Cantonese (yue)"
    assert language_name("xx") == "'xx'"


def test_the_prompt_begins_with_text_in_the_chosen_script() -> None:
    assert Language("zh", "Hant").prompt("Kubernetes") == "以下是普通話的句子。Kubernetes"
    assert Language("zh", "Hans").prompt("電腦").startswith("以下是普通话的句子。")


def test_without_a_chosen_script_chinese_is_simplified_unless_the_prompt_has_its_own() -> None:
    assert Language("zh").prompt() == "以下是普通话的句子。"
    assert Language("zh").prompt("以下是普通話的句子。") == "以下是普通話的句子。"
    assert Language("yue").prompt() == "以下係廣東話嘅句子。"
    assert Language("sr").prompt() == Language("de").prompt() == ""


@pytest.mark.parametrize(
    ("pieces", "language", "kept"),
    [
        (["以下", "是", "普通", "話", "的", "句子", "。"], "zh", 0),
        (["通車", "。", "以下是", "普通話的句子。"], "zh", 2),
        (["以下是普通話的句子。", "以下是普通話的句子。"], "zh", 0),
        (["以下是普通话的句"], "zh", 0),
        (["以下是", "今天的新闻"], "zh", 2),
        (["这个句子"], "zh", 1),
        ([" Ovo", " je", " rečenica", " na", " srpskom", " jeziku."], "sr", 0),
        ([" rečenica"], "sr", 1),
        (["以下是普通話的句子。"], "ja", 1),
        ([], "zh", 0),
    ],
)
def test_the_prompt_of_a_script_is_no_text_where_the_decoder_repeats_it(
    pieces: list[str], language: str, kept: int
) -> None:
    assert echo_start(pieces, language) == kept
