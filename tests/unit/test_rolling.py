"""What was measured within the last seconds."""

from __future__ import annotations

from streamwhisper.rolling import RECENT, RollingStats
from tests.support.clock import Clock


def test_it_is_the_mean_of_what_came_within_the_time() -> None:
    clock = Clock()
    recent = RollingStats(clock)
    assert recent.mean() == recent.rate() == recent.rising() == 0
    recent.add(4.0)
    clock.now += 2
    recent.add(1.0)
    assert recent.mean() == recent.mean(3) == 2.5
    assert recent.mean(1) == 1.0
    assert recent.rate() == 5.0 / RECENT
    clock.now += RECENT
    assert recent.mean(RECENT) == recent.rate() == 0
    assert recent.mean() == 2.5


def test_it_rises_soon_and_falls_slowly() -> None:
    clock = Clock()
    recent = RollingStats(clock)
    for _ in range(8):
        recent.add(0.0)
    clock.now += 2
    recent.add(9.0)
    assert recent.rising() == 9.0
    clock.now += 2
    recent.add(0.0)
    assert recent.rising() == 0.9


def test_it_does_not_grow() -> None:
    clock = Clock()
    recent = RollingStats(clock)
    for number in range(5000):
        recent.add(float(number))
    assert len(recent._amounts) < 2000
