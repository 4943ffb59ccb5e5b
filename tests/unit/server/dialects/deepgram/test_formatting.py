"""How a Deepgram stream's text is written, and the times of what is written."""

from __future__ import annotations

import pytest

from streamwhisper.events import Word
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, bare, format_text


def said(text: str) -> tuple[Word, ...]:
    """A word each half second."""
    words = text.split()
    return tuple(Word(word, at / 2, at / 2 + 0.4, 0.9) for at, word in enumerate(words))


def test_whisper_s_text_is_told_as_it_is_unless_something_is_asked_for() -> None:
    text = " Um, twenty five apples, damn it."
    wording = format_text(text, said(text), FormattingOptions(), "en")
    assert (wording.transcript, wording.words) == (text.strip(), said(text))


@pytest.mark.parametrize(
    ("options", "written"),
    [
        (FormattingOptions(punctuate=False), "um twenty five apples shit new line it's 5%"),
        (FormattingOptions(numerals=True), "Um, 25 apples, shit. New line. It's 5%."),
        (FormattingOptions(smart_format=True), "Um, 25 apples, shit. New line. It's 5%."),
        (FormattingOptions(dictation=True), "Um, twenty five apples, shit.\nIt's 5%."),
        (
            FormattingOptions(profanity_filter=True),
            "Um, twenty five apples, s***. New line. It's 5%.",
        ),
        (FormattingOptions(filler_words=False), "Twenty five apples, shit. New line. It's 5%."),
        (
            FormattingOptions(replace={"apples": "pears"}),
            "Um, twenty five pears, shit. New line. It's 5%.",
        ),
        (FormattingOptions(punctuate=False, numerals=True), "um 25 apples shit new line it's 5%"),
    ],
)
def test_each_option_does_what_it_says(options: FormattingOptions, written: str) -> None:
    text = " Um, twenty five apples, shit. New line. It's 5%."
    wording = format_text(text, said(text), options, "en")
    assert wording.transcript == written
    assert [word.word for word in wording.words] == written.split()


def test_a_number_has_the_times_of_all_its_words() -> None:
    text = " I have twenty five apples."
    wording = format_text(text, said(text), FormattingOptions(numerals=True), "en")
    number = wording.words[2]
    assert (number.word, number.start, number.end) == ("25", 1.0, 1.9)
    assert number.confidence == pytest.approx(0.9)


def test_features_can_be_turned_on_and_off() -> None:
    options = FormattingOptions(replace={"a": "b"}).turned({"numerals": True, "punctuate": False})
    assert options == FormattingOptions(punctuate=False, numerals=True, replace={"a": "b"})


@pytest.mark.parametrize(
    ("word", "alone"),
    [
        ("Don't.", "don't"),
        ("«Où?»", "où"),
        ("25%,", "25%"),
        ("$5", "$5"),
        ("—", "—"),
        ("終。", "終"),
    ],
)
def test_a_bare_word_has_no_punctuation_around_it(word: str, alone: str) -> None:
    assert bare(word) == alone
