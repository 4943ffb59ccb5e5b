"""LocalAgreement: what two hypotheses share, and no more."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.recognition import HypothesisWord
from streamwhisper.session.agreement import AgreementOptions, agreed_words, normalized

OPTIONS = AgreementOptions(doubt=0.0, confidence=1.0)


def spoken(*texts: str, seconds: float = 0.3, probability: float = 0.9) -> list[HypothesisWord]:
    """Words one after the other, `seconds` each."""
    score = math.log(probability)
    return [
        HypothesisWord(f" {text}", (index,), index * seconds, (index + 1) * seconds, score)
        for index, text in enumerate(texts)
    ]


sentences = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=8)


@given(sentences, sentences)
def test_agreed_words_are_the_longest_common_prefix(old: list[str], new: list[str]) -> None:
    count = agreed_words(spoken(*old), spoken(*new), 100.0, OPTIONS)
    assert old[:count] == new[:count]
    assert count == min(len(old), len(new)) or old[count] != new[count]


@pytest.mark.parametrize(
    ("old", "new"), [("Hello,", "hello"), ("it's", "its"), ("end.", "end"), ("Straße", "STRASSE")]
)
def test_case_and_punctuation_do_not_matter(old: str, new: str) -> None:
    assert agreed_words(spoken(old), spoken(new), 100.0, OPTIONS) == 1


def test_a_word_at_the_edge_of_the_sound_waits() -> None:
    words = spoken("one", "two", "three")
    edge = words[2].end + OPTIONS.margin / 2
    assert agreed_words(words, words, edge, OPTIONS) == 2


def test_nothing_is_agreed_with_silence() -> None:
    assert agreed_words([], spoken("one"), 100.0, OPTIONS) == 0


def test_full_width_letters_equal_plain_ones() -> None:
    assert normalized(" \uff37ord!") == normalized("word")


def test_a_doubtful_word_waits_longer_than_a_likely_one() -> None:
    options = AgreementOptions(margin=0.1, doubt=0.5, doubtful_margin=1.0, confidence=1.0)
    likely, doubtful = spoken("one", probability=0.6), spoken("one", probability=0.4)
    assert agreed_words(likely, likely, 1.2, options) == 1
    assert agreed_words(doubtful, doubtful, 1.2, options) == 0
    assert agreed_words(doubtful, doubtful, 1.4, options) == 1


def test_a_confident_word_needs_no_second_hypothesis() -> None:
    options = AgreementOptions(doubt=0.0, confidence=0.8, confident_margin=0.5)
    words = spoken("one", "two", probability=0.9)
    assert agreed_words([], words, 0.9, options) == 1
    assert agreed_words([], spoken("one", probability=0.7), 100.0, options) == 0


@given(sentences, sentences)
def test_with_or_without_confidence_what_is_agreed_comes_first(
    old: list[str], new: list[str]
) -> None:
    """The fast path adds words behind the agreed ones and takes none away."""
    fast = AgreementOptions(doubt=0.0, confidence=0.5)
    words = spoken(*new)
    assert agreed_words(spoken(*old), words, 100.0, fast) == len(new)
    assert agreed_words(spoken(*old), words, 100.0, OPTIONS) <= len(new)
