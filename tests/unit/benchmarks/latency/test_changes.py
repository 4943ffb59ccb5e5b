"""The regression behind the risk of a word."""

from __future__ import annotations

import random

import pytest

from benchmarks.latency.changes import fitted, table
from streamwhisper.session.agreement import COEFFICIENTS, risk


def test_the_regression_finds_the_coefficients_by_which_words_changed() -> None:
    choose = random.Random(1)
    seen = []
    for _ in range(40_000):
        evidence = (
            choose.betavariate(2, 1),
            choose.choice([0, 0.1, 0.2, 0.5, 1]),
            choose.random() < 0.5,
        )
        seen.append((evidence, choose.random() < risk(*evidence)))
    assert fitted(seen) == pytest.approx(COEFFICIENTS, abs=0.5)


def test_the_table_shows_how_often_words_changed() -> None:
    seen = [((0.8, 0.2, True), change) for change in (True, False, False, False)]
    assert "| 0.7 to 0.9 | 0.15 to 0.25 s | 4 | 25.0 % |" in table(seen)
