"""What a model knows of languages, and how it says that it does not know one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import UnknownLanguageError
from streamwhisper.languages import LANGUAGES
from streamwhisper.recognition import ModelInfo
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session
from tests.support.voice import sentence

BASE = ModelInfo("base", 80, multilingual=True)
ENGLISH = ModelInfo("tiny.en", 80, multilingual=False)
LARGE = ModelInfo("large-v3", 128, multilingual=True, languages=tuple(LANGUAGES))
SWISS = ModelInfo("swiss", 80, multilingual=True, languages=("de", "fr", "it"))


def test_a_model_has_the_languages_of_its_kind_unless_it_declares_its_own() -> None:
    assert ENGLISH.languages == ("en",)
    assert len(BASE.languages) == 99
    assert "yue" not in BASE.languages
    assert LARGE.languages[-1] == "yue"
    assert SWISS.languages == ("de", "fr", "it")


@pytest.mark.parametrize("value", ["yue", "Cantonese", "zh-yue-HK"])
def test_a_language_that_the_model_lacks_is_named_in_a_short_message(value: str) -> None:
    with pytest.raises(UnknownLanguageError) as refusal:
        BASE.language(value)
    assert str(refusal.value).startswith("base does not know Cantonese (yue); ")
    assert len(str(refusal.value)) < 120
    assert str(LARGE.language(value)).startswith("yue")


def test_a_fine_tuned_model_refuses_what_it_was_not_trained_for_and_names_what_it_knows() -> None:
    with pytest.raises(UnknownLanguageError, match=r"swiss does not know English \(en\); .*de, fr"):
        SWISS.check_languages(["de-CH", "en"])


@pytest.mark.parametrize(
    "language", ["yue", LanguageDetection(("en", "yue")), "klingon", LanguageDetection(("yue",))]
)
def test_a_session_refuses_it_before_any_audio(language: str | LanguageDetection) -> None:
    with pytest.raises(UnknownLanguageError, match=r"Cantonese|unknown language 'klingon'"):
        Session(BASE, AudioDecoder(AudioFormat("pcm_f32le")), SessionOptions(language))


@pytest.mark.parametrize(
    ("language", "prompt"),
    [
        ("zh-TW", "以下是普通話的句子。Ada"),
        ("zh", "以下是普通话的句子。Ada"),
        (LanguageDetection(("zh-HK",)), "以下是普通話的句子。Ada"),
        (LanguageDetection(("zh-HK", "en")), "Ada"),
        ("de-AT", "Ada"),
    ],
)
def test_a_request_has_text_in_the_script_of_its_language_as_its_prompt(
    language: str | LanguageDetection, prompt: str
) -> None:
    options = SessionOptions(language)
    options = replace(options, window=replace(options.window, initial_prompt="Ada"))
    session = Session(BASE, AudioDecoder(AudioFormat("pcm_f32le")), options)
    session.receive_audio(sentence(1)[:24000].tobytes())
    request = session.next_request()
    assert request is not None
    assert request.context.initial_prompt == prompt
