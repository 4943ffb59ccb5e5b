"""The load of a worker: an average over time, of what comes and goes."""

from __future__ import annotations

import pytest

from streamwhisper.cluster.time_average import TimeAverage
from tests.support.clock import Clock


def test_it_is_an_average_over_the_time_since_it_was_asked_last() -> None:
    clock = Clock()
    load = TimeAverage(clock)
    clock.now += 1
    with load.of(4):
        clock.now += 1
        with load.of(2):
            clock.now += 1
    clock.now += 1
    assert load.average() == (0 + 4 + 6 + 0) / 4
    clock.now += 5
    assert load.average() == 0


def test_asked_twice_at_once_it_tells_what_is_there() -> None:
    clock = Clock()
    load = TimeAverage(clock)
    with load.of(3):
        clock.now += 2
        assert load.average() == 3
        assert load.average() == 3


def test_what_fails_is_under_way_no_more() -> None:
    clock = Clock()
    load = TimeAverage(clock)
    with pytest.raises(ValueError, match="why"), load.of(3):
        raise ValueError("why")
    clock.now += 1
    assert load.average() == 0
