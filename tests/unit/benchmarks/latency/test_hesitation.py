"""Pauses put into sentences: where."""

from __future__ import annotations

import pytest

from benchmarks.latency.hesitation import middle
from benchmarks.lib.measure import SpokenWord

TEXT = "he went to the house and saw the old man there today"


def spoken(text: str) -> tuple[SpokenWord, ...]:
    return tuple(SpokenWord(word, float(i)) for i, word in enumerate(text.split(), 1))


@pytest.mark.parametrize(("goes_on", "end"), [(True, 6.0), (False, 7.0)])
def test_a_pause_lies_near_the_middle_behind_a_word_of_its_kind(goes_on: bool, end: float) -> None:
    assert middle(spoken(TEXT), goes_on) == end


@pytest.mark.parametrize("text", ["", "house", "one man saw one man"])
def test_where_no_word_of_the_kind_is_known_there_is_no_pause(text: str) -> None:
    untimed = tuple(SpokenWord(word.text, None) for word in spoken(text))
    assert middle(untimed, False) is None
