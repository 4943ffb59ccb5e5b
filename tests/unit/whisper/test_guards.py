"""The guards: loops, rewinds, and how much text a stretch of sound may have."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.whisper.guards import (
    compression_ratio,
    loop_start,
    rewound,
    token_limit,
    varied_words,
)

tokens = st.lists(st.integers(0, 50), max_size=30)


@given(st.lists(st.integers(0, 50), max_size=20, unique=True))
def test_tokens_that_never_repeat_are_no_loop(text: list[int]) -> None:
    assert loop_start(text) is None


@given(tokens, st.lists(st.integers(0, 50), min_size=3, max_size=10), st.integers(3, 5))
def test_an_ngram_said_three_times_is_a_loop_and_keeps_its_first_round(
    before: list[int], ngram: list[int], rounds: int
) -> None:
    text = before + ngram * rounds
    start = loop_start(text)
    assert start is not None
    assert start <= len(text) - len(ngram) * (rounds - 1)


def test_a_word_said_three_times_is_not_a_loop() -> None:
    assert loop_start([7, 8, 9, 9, 9]) is None


def test_a_word_said_seven_times_is_a_loop() -> None:
    assert loop_start([7, 8, *[9] * 7]) == 3


def test_repeated_text_heard_far_back_is_a_rewind() -> None:
    text = [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert rewound(text, [100, 120, 140, 200, 300, 400, 100, 110, 120]) == 6


def test_repeated_text_heard_later_is_speech() -> None:
    text = [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert rewound(text, [100, 120, 140, 200, 300, 400, 410, 420, 430]) is None


def test_new_text_heard_far_back_is_no_loop() -> None:
    text = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rewound(text, [100, 120, 140, 200, 300, 400, 100, 110, 120]) is None


@given(st.floats(0, 30), st.floats(0, 30))
def test_more_sound_may_have_more_tokens_but_never_more_than_the_most(
    one: float, two: float
) -> None:
    shorter, longer = sorted((one, two))
    assert 0 < token_limit(shorter, 9.0, 100) <= token_limit(longer, 9.0, 100) <= 100


@pytest.mark.parametrize(("text", "loops"), [("a quick brown fox", False), ("go on " * 40, True)])
def test_a_loop_packs_better_than_whispers_threshold(text: str, loops: bool) -> None:
    assert (compression_ratio(text) > 2.4) is loops


@given(st.lists(st.sampled_from([" one", " two", " three", " four"]), max_size=40))
def test_varied_words_are_a_beginning_that_does_not_repeat_itself(words: list[str]) -> None:
    count = varied_words(words, 2.4)
    assert compression_ratio("".join(words[:count])) <= 2.4
    if count < len(words):
        assert compression_ratio("".join(words)) > 2.4


def test_what_comes_before_a_repetition_is_kept() -> None:
    said = re.findall(" [a-z]+", " it was the first word that anybody had heard of the matter")
    words = said + [" again"] * 60
    assert len(said) <= varied_words(words, 2.4) < len(words)
