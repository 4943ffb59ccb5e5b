"""LocalAgreement: what two hypotheses share, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.recognition import HypothesisWord
from streamwhisper.session.agreement import AgreementOptions, agreed_words, normalized

OPTIONS = AgreementOptions()


def spoken(*texts: str, seconds: float = 0.3) -> list[HypothesisWord]:
    """Words one after the other, `seconds` each."""
    return [
        HypothesisWord(f" {text}", (index,), index * seconds, (index + 1) * seconds, -0.1)
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
    edge = words[2].start + OPTIONS.edge_margin / 2
    assert agreed_words(words, words, edge, OPTIONS) == 2


def test_nothing_is_agreed_with_silence() -> None:
    assert agreed_words([], spoken("one"), 100.0, OPTIONS) == 0


def test_full_width_letters_equal_plain_ones() -> None:
    assert normalized(" \uff37ord!") == normalized("word")
