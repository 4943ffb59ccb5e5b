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
    AgreementOptions,
    Draft,
    normalized,
    risk,
    terms,
)

NEVER = AgreementOptions(risk=0.0, longest=math.inf)


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
contexts = st.floats(0.1, 30.0)


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
    assert len(COEFFICIENTS) == len(terms(0.5, 0.2, True, 4.0))


@given(probabilities, probabilities, ages, ages, contexts, contexts)
def test_what_is_surer_older_or_has_more_context_is_less_likely_to_change(
    p: float, q: float, a: float, b: float, c: float, d: float
) -> None:
    least = risk(max(p, q), max(a, b), True, max(c, d))
    most = risk(min(p, q), min(a, b), False, min(c, d))
    assert 0 < least <= most < 1


@given(sentences, st.floats(0.0, 1.0), ages)
def test_words_are_settled_from_the_first_on_while_their_risk_is_taken(
    texts: list[str], taken: float, age: float
) -> None:
    draft = Draft().renewed(spoken(*texts), 1.0)
    options = replace(NEVER, risk=taken)
    count = draft.settled(1.0 + age, 5.0, options)
    risks = [risk(0.9, 1.0 + age - 1.0, i + 1 < len(texts), 5.0) for i in range(len(texts))]
    assert all(each <= taken for each in risks[:count])
    assert count == len(texts) or risks[count] > taken


def test_a_doubtful_word_holds_back_the_sure_ones_behind_it() -> None:
    words = [*spoken("one", probability=0.3), *spoken("two", "three", probability=0.999)]
    draft = Draft().renewed(words, 1.0)
    assert draft.settled(1.4, 5.0, AgreementOptions(risk=0.05)) == 0
    assert draft.after(1).settled(1.4, 5.0, AgreementOptions(risk=0.05)) == 2


def test_a_sure_word_needs_fewer_hypotheses_than_a_doubtful_one() -> None:
    def seconds(probability: float) -> float:
        draft = Draft().renewed(spoken("one", "two", probability=probability), 0.0)
        steps = (0.1 * step for step in range(100))
        return next(age for age in steps if draft.settled(age, 5.0, AgreementOptions()))

    assert seconds(0.99) < seconds(0.85) < seconds(0.6) < seconds(0.3)


def test_a_word_that_has_stood_long_enough_is_settled_however_doubtful() -> None:
    draft = Draft().renewed(spoken("one", probability=0.01), 1.0)
    options = replace(NEVER, longest=1.5)
    assert draft.settled(2.4, 5.0, options) == 0
    assert draft.settled(2.5, 5.0, options) == 1


def test_a_moved_draft_is_as_old_as_before() -> None:
    draft = Draft().renewed(spoken("one", "two"), 1.0).moved(0.2)
    assert [(round(word.start, 3), round(word.end, 3)) for word in draft.words] == [
        (-0.2, 0.1),
        (0.1, 0.4),
    ]
    assert draft.since == (1.0, 1.0)
