"""Figures of the benchmark of live accuracy, computed from saved rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.live import CAUSES, calibration_error, judged, stray_signs, summary
from benchmarks.lib.conditions import fast, quiet, with_noise
from benchmarks.lib.virtual import session_options

TONE = np.sin(np.arange(16000, dtype=np.float32) / 20).astype(np.float32)


def row(live: str, offline: str) -> dict[str, Any]:
    return {
        "live": live,
        "offline": offline,
        "reference": "the cat sat down",
        "language": "en",
        "audio": 2.0,
        "computed": 0.5,
        "stray": 0,
        "latencies": [0.2, 0.4, 0.9],
        "confidences": [(0.95, True), (0.35, False)],
    }


def test_the_cost_of_streaming_is_the_difference_of_both_error_rates() -> None:
    found = summary("clean", [row("the cat sat town", "the cat sat down")] * 2)
    assert (found["words"], found["live"], found["offline"], found["cost"]) == (8, 25.0, 0.0, 25.0)
    assert found["interval"] == [25.0, 25.0]
    assert found["cpu"] == 0.25


def test_first_and_last_words_are_counted_for_both_paths() -> None:
    found = summary("clean", [row("cat sat down", "the cat sat")])
    assert (found["first_words"], found["last_words"]) == ([0, 1], [1, 0])


def test_confidences_are_paired_with_whether_the_word_is_right() -> None:
    heard = [("the", 0.9), ("cat", 0.8), ("mat", 0.4), ("down", 0.7)]
    right = judged(["the", "cat", "sat", "down"], heard)
    assert right == [(0.9, True), (0.8, True), (0.4, False), (0.7, True)]


def test_confidences_that_equal_the_share_of_right_words_are_calibrated() -> None:
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == 0.0
    assert calibration_error([(0.95, False), (0.05, True)]) == pytest.approx(95.0)
    assert calibration_error([]) == 0.0


def test_repeated_words_and_broken_characters_of_live_text_are_reported() -> None:
    found = summary("long", [row("the the cat sat d\ufffdwn", "the cat sat down")])
    assert (found["repeats"], found["broken"]) == (["the"], 1)


@pytest.mark.parametrize(
    ("texts", "count"),
    [([" Well then.", " And so."], 0), ([", so it goes."], 1), ([" It ends.", " and goes on."], 1)],
)
def test_stray_signs_are_counted(texts: list[str], count: int) -> None:
    assert stray_signs(texts) == count


def test_conditions_have_the_level_the_noise_and_the_speed_that_they_name() -> None:
    level = 20 * np.log10(np.sqrt(np.mean(quiet(TONE) ** 2)))
    assert level == pytest.approx(-40, abs=0.1)
    noise = np.random.default_rng(1).normal(0, 0.01, 4000).astype(np.float32)
    added = with_noise(0.1 * TONE, noise, 10) - 0.1 * TONE
    assert 10 * np.log10(np.mean((0.1 * TONE) ** 2) / np.mean(added**2)) == pytest.approx(
        10, abs=0.1
    )
    assert len(fast(TONE)) == pytest.approx(len(TONE) / 1.25, abs=2)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_errors_can_be_switched_off(cause: str) -> None:
    assert session_options("balanced", CAUSES[cause]) != session_options("balanced", [])
