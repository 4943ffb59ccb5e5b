"""Pauses put into sentences: where, and that nothing is lost by them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.hesitation import middle, paused
from benchmarks.lib.measure import SpokenWord
from benchmarks.lib.speech import Recording

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


def test_a_pause_is_put_between_samples() -> None:
    samples = np.arange(1, 32001, dtype=np.float32)
    clip = paused(Recording("", samples, "", ()), 0.5, 0.25)
    assert len(clip.samples) == 36000
    assert not clip.samples[8000:12000].any()
    assert np.array_equal(np.delete(clip.samples, slice(8000, 12000)), samples)
