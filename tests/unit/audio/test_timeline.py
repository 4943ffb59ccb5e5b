"""Frames are placed by their times; only real holes and repeats count."""

from __future__ import annotations

import pytest

from streamwhisper.audio.timeline import ReadReport, Timeline


def placed(*times: float | None, seconds: float = 0.5) -> list[float | None]:
    line = Timeline()
    return [line.place(time, seconds) for time in times]


@pytest.mark.parametrize(
    ("times", "silence"),
    [
        ((0.0, 0.5, 1.0), [0, 0, 0]),
        ((None, None), [0, 0]),
        ((5.0, 5.5), [5, 0]),
        ((0.0, 2.0, 2.5), [0, 1.5, 0]),
        ((0.05, 0.59, 0.93), [0, 0, 0]),
        ((-0.02, 0.48), [0, 0]),
        ((0.0, 0.5, 0.5, 1.0), [0, 0, None, 0]),
        ((0.0, 0.3, 0.75, 1.25), [0, 0, 0, 0]),
        ((0.0, 0.5, 1.0, 1.5, 2.0, 0.0, 0.5), [0] * 7),
        ((0.0, 0.5, 0.0, 0.5), [0] * 4),
        ((0.0, 95_000.0, 95_000.5), [0, 0, 0]),
    ],
    ids=[
        "in a row",
        "without times",
        "late",
        "hole",
        "rounded",
        "priming",
        "repeated",
        "slow clock",
        "clock restarts",
        "clock restarts early",
        "absurd jump",
    ],
)
def test_a_frame_is_placed_where_its_time_says(times, silence):
    assert placed(*times) == pytest.approx(silence)


def test_holes_are_filled_up_to_six_hours_in_all():
    filled = placed(*(number * 1700.0 for number in range(20)))
    assert sum(silence or 0 for silence in filled) == pytest.approx(6 * 3600, abs=1700)


def test_damage_is_described_in_seconds():
    report = ReadReport()
    report.note_damage(20.1, 21.2)
    report.note_damage(40.0, 40.5)
    assert report.describe_damage() == (
        "1.6 s in the middle could not be read (20.1-21.2 s, 40.0-40.5 s)"
    )
    assert ReadReport().describe_damage() is None
    for number in range(1000):
        report.note_damage(100.0 + number, 100.5 + number)
    assert report.lost == pytest.approx(501.6)
    assert len(report.damage) == 8


def test_a_clock_that_jumps_again_and_again_is_logged_once(caplog):
    line = Timeline()
    for number in range(100):
        assert line.place(number * 10_000.0, 0.02) == 0.0
    assert len(caplog.messages) == 1
    assert "the time jumps" in caplog.text
