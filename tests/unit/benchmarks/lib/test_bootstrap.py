"""How sure an error rate is, by resampling its clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lib.bootstrap import interval, resampled
from benchmarks.lib.measure import Errors

clips = st.lists(
    st.builds(Errors, *3 * [st.integers(0, 9)], words=st.integers(1, 40)), min_size=1, max_size=30
)


@given(clips)
def test_every_resampled_rate_lies_between_the_best_clip_and_the_worst(found):
    rates = resampled(found, draws=200)
    assert rates.shape == (200,)
    assert min(clip.rate for clip in found) <= rates.min() + 1e-12
    assert rates.max() <= max(clip.rate for clip in found) + 1e-12


@given(clips)
def test_the_same_errors_on_the_same_clips_are_no_difference(found):
    other = [Errors(0, clip.total, 0, clip.words) for clip in found]
    assert not np.any(resampled(found, draws=200) - resampled(other, draws=200))


def test_the_interval_is_that_of_a_binomial_where_clips_are_single_words():
    found = [Errors(1, 0, 0, 1)] * 40 + [Errors(0, 0, 0, 1)] * 360
    low, high = interval(resampled(found))
    deviation = (0.1 * 0.9 / 400) ** 0.5
    assert low == pytest.approx(0.1 - 1.96 * deviation, abs=0.003)
    assert high == pytest.approx(0.1 + 1.96 * deviation, abs=0.003)


def test_an_interval_leaves_out_as_much_below_as_above():
    assert interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))


@pytest.mark.parametrize("found", [[], [Errors(0, 0, 1, 0)]])
def test_clips_without_words_have_no_rate(found):
    with pytest.raises(ValueError, match="each with words"):
        resampled(found)
