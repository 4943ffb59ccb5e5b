"""Facts about writing systems."""

# ruff: noqa: RUF001 (signs of many scripts look alike)

from __future__ import annotations

import pytest

from streamwhisper.typography import (
    columns,
    ends_sentence,
    may_begin_line,
    unspaced,
    without_leading_stops,
)

ENDED = [
    *("Yes.", "Yes?", "Yes!", "Yes…", "Yes?!", "はい。", "はい？", "はい！", "はい．", "はい｡"),
    *("हाँ।", "نعم؟", "ہاں۔", "այո։", "አዎ።", "ဟုတ်ကဲ့။", "បាទ។", "ཡིན།", "ඔව්෴", "Πού είσαι;"),
    *('He said "yes."', "(Yes.)", "「はい。」", "„Ja.“", "« Oui. »", "Yes.' ", "”Ja.”"),
]
OPEN = ["", "Yes", "Yes,", "Yes;", "はい、", "نعم،", "3.14", '"Yes"', "…and", "ཡིན་"]


@pytest.mark.parametrize("text", ENDED)
def test_sentences_end_in_every_script_before_closing_signs(text):
    assert ends_sentence(text)


@pytest.mark.parametrize("text", OPEN)
def test_other_texts_end_no_sentence(text):
    assert not ends_sentence(text)


def test_wide_characters_have_two_columns_and_marks_none():
    assert columns("日" * 40) == 80
    assert [columns(text) for text in ("", "é", "e\u0301", "ที่", "ﾃ", "한", "，")] == [
        *(0, 1, 1, 1, 1, 2, 2)
    ]


@pytest.mark.parametrize("sign", "。、」）！ーぁっゃ々ๆ\u0e31\u0e48\u17d2\u103a\u0f72\u0903\u0e33")
def test_no_line_begins_with_a_sign_that_belongs_to_the_one_before(sign):
    assert not may_begin_line(sign)


@pytest.mark.parametrize("sign", "あ漢「（กเ5A")
def test_a_line_may_begin_with_letters_and_opening_brackets(sign):
    assert may_begin_line(sign)


def test_khmer_and_tibetan_have_no_spaces_between_words_and_korean_has():
    assert all(map(unspaced, "កབทລမ字の"))
    assert not any(map(unspaced, "a한हи\uff11"))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (", ask", "ask"),
        (" . And", "And"),
        ("、次", "次"),
        (" .5 or", ".5 or"),
        ("...", "..."),
        ("¿Qué", "¿Qué"),
    ],
)
def test_no_text_begins_with_a_sign_of_the_text_before(text, rest):
    assert without_leading_stops(text) == rest
