"""Sentences: which full stops are certain, and which words begin with a capital letter."""

from __future__ import annotations

import pytest

from streamwhisper.recognition import HypothesisWord
from streamwhisper.session.sentences import (
    MAX_HOLD,
    begins_lower,
    capitalized,
    confirmed,
    stops_sentence,
)


def words(*texts: str) -> list[HypothesisWord]:
    """Words of 0.5 s each."""
    return [
        HypothesisWord(text, (index,), index / 2, index / 2 + 0.5, -0.1)
        for index, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(" down.", " why?", " no!", ".", "?", " roofs).", " ROOFS.", " 1995.", " no."),
        *("好。", "ですか？", " है।", " \u05e9\u05dc\u05d5\u05dd.", " \u201cyes."),
    ],
)
def test_a_sign_at_the_end_of_a_word_ends_the_sentence(text: str) -> None:
    assert stops_sentence(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            " down",
            " down,",
            " wait...",
            " wait\u2026",
            "..",
            " e.g.",
            " z.B.",
            " 3.",
            " 21.",
        ),
        *(" Mr.", " dr.", " bzw.", " J.", " U.S.", ' down."', " Where?\u201d", " 3.5"),
    ],
)
def test_ellipses_abbreviations_ordinals_and_quotations_end_no_sentence(text: str) -> None:
    assert not stops_sentence(text)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (" while", "en", " While"),
        (' "while', "en", ' "While'),
        (" \u00e9t\u00e9", "fr", " \u00c9t\u00e9"),
        (" iPhone", "en", " iPhone"),
        (" ist", "tr", " \u0130st"),
        (" ist", "de", " Ist"),
        (" 3rd", "en", " 3rd"),
        (" \u10d3\u10d0", "ka", " \u10d3\u10d0"),
        ("\u597d", "zh", "\u597d"),
        (" \u05e9\u05dc", "he", " \u05e9\u05dc"),
        (" \u0e41\u0e25\u0e30", "th", " \u0e41\u0e25\u0e30"),
        (" ...", "en", " ..."),
    ],
)
def test_a_sentence_begins_with_a_capital_where_there_are_capitals(
    text: str, language: str, expected: str
) -> None:
    assert capitalized(text, language) == expected


@pytest.mark.parametrize(
    "text", [" Haus", " I", " 3rd", "\u597d", " \u05e9\u05dc", " \u10d3\u10d0", ""]
)
def test_capitals_digits_and_letters_without_case_are_not_in_lower_case(text: str) -> None:
    assert not begins_lower(text)


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        ((" written", " down"), 2),
        ((" written", " down."), 1),
        ((" written", " down.", " while"), 1),
        ((" written", " down.", " While"), 2),
        ((" written", " e.g.", " while"), 2),
        (("\u5199", "\u597d\u3002", "\u4f60"), 2),
    ],
)
def test_a_full_stop_waits_for_a_next_word_that_confirms_it(
    texts: tuple[str, ...], count: int
) -> None:
    assert confirmed(words(*texts), 2, 1.2) == count


def test_a_full_stop_is_accepted_after_a_while() -> None:
    """A word does not wait without bound when nothing follows."""
    assert confirmed(words(" down."), 1, 0.5 + MAX_HOLD - 0.1) == 0
    assert confirmed(words(" down."), 1, 0.5 + MAX_HOLD) == 1


def test_no_word_is_held_where_none_is_stable() -> None:
    assert confirmed(words(" down."), 0, 0.6) == 0
    assert confirmed([], 0, 0.6) == 0
