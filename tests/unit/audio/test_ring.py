from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.audio.ring import RingBuffer

sizes = st.lists(st.integers(0, 40), max_size=12)


def filled(capacity: int, chunks: list[int]) -> tuple[RingBuffer, np.ndarray]:
    sound = np.arange(sum(chunks), dtype=np.float32)
    ring = RingBuffer(capacity)
    for chunk in np.split(sound, np.cumsum(chunks)[:-1]) if chunks else []:
        ring.append(chunk)
    return ring, sound


@given(st.integers(1, 50), sizes, st.data())
def test_any_range_that_is_held_reads_as_it_was_appended(capacity, chunks, data):
    ring, sound = filled(capacity, chunks)
    assert ring.end == len(sound)
    assert ring.start == max(0, len(sound) - capacity)
    start = data.draw(st.integers(ring.start, ring.end))
    end = data.draw(st.integers(start, ring.end))
    np.testing.assert_array_equal(ring.read(start, end), sound[start:end])


@pytest.mark.parametrize(("start", "end"), [(9, 15), (10, 31), (20, 15), (-1, 12)])
def test_a_range_that_is_not_held_is_an_error_that_names_it(start, end):
    ring, _ = filled(20, [30])
    with pytest.raises(IndexError, match=f"samples {start} to {end} .* 10 to 30 are held"):
        ring.read(start, end)


def test_what_was_read_does_not_change_when_more_is_appended():
    ring, _ = filled(4, [4])
    before = ring.read(0, 4)
    ring.append(np.full(4, 9, np.float32))
    np.testing.assert_array_equal(before, [0, 1, 2, 3])


def test_a_ring_without_room_is_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        RingBuffer(0)
