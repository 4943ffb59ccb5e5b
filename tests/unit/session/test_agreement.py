"""Local agreement: how long a word has stood, how likely it is to change, and what may be said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.recognition import HypothesisWord
from streamwhisper.session.agreement import (
    COEFFICIENTS,
    MOST_CAUTION,
    AgreementOptions,
    Draft,
    normalized,
    risk,
    terms,
)

CONSTANT = AgreementOptions(max_change_risk=0.05, risk_doubling_time=1e9)
"""The same risk, however long a word has stood."""


def spoken(*texts: str, probability: float = 0.9) -> list[HypothesisWord]:
    """Words of 0.3 s, one after the other."""
    score = math.log(probability)
    return [
        HypothesisWord(f" {text}", (index,), index * 0.3, (index + 1) * 0.3, score)
        for index, text in enumerate(texts)
    ]


sentences = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=8)
probabilities = st.floats(0.0, 1.0)
ages = st.floats(0.0, 5.0)


@given(sentences, sentences)
def test_a_word_keeps_its_age_while_every_hypothesis_has_it_in_its_place(
    old: list[str], new: list[str]
) -> None:
    draft = Draft().renewed(spoken(*old), 1.0).renewed(spoken(*new), 2.0)
    same = [index < len(old) and old[index] == word for index, word in enumerate(new)]
    assert draft.since == tuple(1.0 if each else 2.0 for each in same)
    assert [word.text.strip() for word in draft.words] == new


@pytest.mark.parametrize(
    ("old", "new"), [("Hello,", "hello"), ("it's", "its"), ("end.", "end"), ("Straße", "STRASSE")]
)
def test_case_and_punctuation_do_not_make_a_word_younger(old: str, new: str) -> None:
    draft = Draft().renewed(spoken(old), 1.0).renewed(spoken(new), 2.0)
    assert draft.since == (1.0,)
    assert draft.words[0].text == f" {new}"


def test_full_width_letters_equal_plain_ones() -> None:
    assert normalized(" \uff37ord!") == normalized("word")


def test_there_is_a_coefficient_for_every_term() -> None:
    assert len(COEFFICIENTS) == len(terms(0.5, 0.2, True))


@given(probabilities, probabilities, ages, ages)
def test_what_is_surer_or_older_or_followed_is_less_likely_to_change(
    p: float, q: float, a: float, b: float
) -> None:
    least = risk(max(p, q), max(a, b), True)
    most = risk(min(p, q), min(a, b), False)
    assert 0 < least <= most < 1


@given(sentences, st.floats(0.0, 1.0), ages)
def test_words_are_settled_from_the_first_on_while_their_risk_is_taken(
    texts: list[str], taken: float, age: float
) -> None:
    draft = Draft().renewed(spoken(*texts), 0.0)
    count = draft.stable(age, 0.0, replace(CONSTANT, max_change_risk=taken))
    risks = [risk(0.9, age, i + 1 < len(texts)) for i in range(len(texts))]
    assert all(each <= taken * 1.001 for each in risks[:count])
    assert count == len(texts) or risks[count] > taken


def test_a_doubtful_word_holds_back_the_sure_ones_behind_it() -> None:
    words = [*spoken("one", probability=0.3), *spoken("two", "three", probability=0.999)]
    draft = Draft().renewed(words, 1.0)
    assert draft.stable(1.2, 0.0, CONSTANT) == 0
    assert draft.after(1).stable(1.2, 0.0, CONSTANT) == 2


@given(sentences, st.floats(0.0, 1.0))
def test_what_is_likely_is_shown_before_it_is_settled(texts: list[str], most: float) -> None:
    draft = Draft().renewed(spoken(*texts), 0.0)
    count = draft.likely(0.0, replace(CONSTANT, max_shown_risk=most))
    assert count == draft.stable(0.0, 0.0, replace(CONSTANT, max_change_risk=most))


def waiting(probability: float, options: AgreementOptions = CONSTANT) -> float:
    """Seconds that a word has to stand."""
    draft = Draft().renewed(spoken("one", "two", probability=probability), 0.6)
    ages = (0.1 * step for step in range(1000))
    return next(age for age in ages if draft.stable(0.6 + age, 0.0, options))


def test_a_sure_word_is_settled_at_once_and_a_doubtful_one_after_a_while() -> None:
    assert waiting(0.999) == 0 < waiting(0.7) < waiting(0.3)


def test_no_word_waits_for_long_however_doubtful() -> None:
    assert waiting(0.001, AgreementOptions(min_mean_logprob=-10.0)) < 2


def test_words_that_are_hardly_believed_wait() -> None:
    """Where nobody speaks a decoder writes something all the same."""
    draft = Draft().renewed(spoken("for", "a", "long", "time", probability=0.2), 1.5)
    assert not draft.credible(AgreementOptions())
    assert draft.stable(5.0, 0.0, AgreementOptions()) == 0
    assert draft.stable(5.0, 0.0, AgreementOptions(min_mean_logprob=-2.0)) == 4


def test_less_risk_and_more_patience_wait_longer() -> None:
    usual = AgreementOptions()
    assert waiting(0.5, replace(usual, max_change_risk=usual.max_change_risk / 9)) > waiting(
        0.5, usual
    )
    assert waiting(0.5, replace(usual, risk_doubling_time=1.0)) > waiting(0.5, usual)


LONG = AgreementOptions().short_window


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_the_less_likely_recent_words_are_the_longer_a_doubtful_word_waits_up_to_a_bound(
    one: float, other: float
) -> None:
    options = AgreementOptions()
    unclear, clear = (
        options.adapted_to(LONG, spoken("so", "it", "was", probability=probability))
        for probability in sorted((one, other))
    )
    assert waiting(0.5, unclear) >= waiting(0.5, clear)
    assert unclear.risk_doubling_time <= MOST_CAUTION * options.risk_doubling_time


@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_the_shorter_a_window_is_the_longer_its_words_wait_up_to_a_bound(
    one: float, other: float
) -> None:
    options = AgreementOptions()
    short, long = (options.adapted_to(seconds, []) for seconds in sorted((one, other)))
    assert waiting(0.5, short) >= waiting(0.5, long) >= waiting(0.5, options)
    assert short.max_change_risk >= options.max_change_risk / options.short_window_factor


def test_clear_speech_in_a_long_window_waits_as_long_as_the_options_say() -> None:
    options = AgreementOptions()
    assert options.adapted_to(LONG, spoken("so", "it", "was", probability=0.9)) == options
    assert options.adapted_to(LONG, []) == options


def test_a_moved_draft_is_as_old_as_before() -> None:
    draft = Draft().renewed(spoken("one", "two"), 1.0).moved(0.2)
    assert [(round(word.start, 3), round(word.end, 3)) for word in draft.words] == [
        (-0.2, 0.1),
        (0.1, 0.4),
    ]
    assert draft.since == (1.0, 1.0)
