"""Pauses inserted into utterances."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lib.measure import SpokenWord
from benchmarks.lib.pauses import middle_end, paused
from benchmarks.lib.speech import Recording


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        ((1.0, 2.0, 3.0, 4.0), 2.0),
        ((1.0, None, 3.0, 4.0), 1.0),
        ((None, None, None), None),
        ((1.0,), None),
        ((), None),
    ],
)
def test_a_pause_follows_the_timed_word_nearest_to_the_middle(
    ends: tuple[float | None, ...], found: float | None
) -> None:
    """It never follows the last word, where nothing is left to say."""
    assert middle_end(tuple(SpokenWord("word", end) for end in ends)) == found


def test_a_pause_is_put_between_samples() -> None:
    samples = np.arange(1, 32001, dtype=np.float32)
    clip = paused(Recording("", samples, "", ()), 0.5, 0.25)
    assert len(clip.samples) == 36000
    assert not clip.samples[8000:12000].any()
    assert np.array_equal(np.delete(clip.samples, slice(8000, 12000)), samples)
