"""Times in order, within bounds, none of them empty."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.intervals import spread

times = st.lists(st.tuples(st.integers(-5, 300), st.integers(-5, 300)), max_size=12)


@given(times, st.integers(0, 50), st.integers(0, 250))
def test_times_are_in_order_within_bounds_and_not_empty(given_times, earliest, room):
    latest = earliest + room
    found = spread(given_times, earliest=earliest, latest=latest, least=2, most=10)
    assert len(found) == len(given_times)
    least = min(2, room // max(1, len(found)))
    assert all(earliest <= start <= end <= latest for start, end in found)
    assert all(end - start >= least for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


@given(st.lists(st.integers(2, 40), max_size=12), st.integers(0, 9))
def test_times_that_need_no_change_are_not_changed(lengths, gap):
    held, at = [], 3
    for length in lengths:
        held.append((at, at + length))
        at += length + gap
    assert spread(held, earliest=0, latest=at, least=2, most=10) == held


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ([(5, 5), (5, 11)], [(5, 8), (8, 11)]),  # shared with the next one
        ([(5, 5), (50, 60)], [(5, 15), (50, 60)]),  # part of the pause after it
        ([(5, 11), (100, 100)], [(5, 11), (98, 100)]),  # part of the pause before it
        ([(90, 100), (100, 100)], [(90, 95), (95, 100)]),  # shared with the one before
        ([(5, 120)], [(5, 100)]),
    ],
)
def test_a_time_that_is_too_short_takes_from_its_neighbours(held, found):
    assert spread(held, earliest=0, latest=100, least=2, most=10) == found
