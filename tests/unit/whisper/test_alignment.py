"""Onsets by dynamic time warping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamwhisper.whisper.alignment import dynamic_time_warping, onsets

costs = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.integers(-9, 9)
)


def _cheapest_path(cost: NDArray[np.float64]) -> float:
    """The textbook recurrence, cell by cell."""
    total = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            best = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = cost[i, j] + best
    return float(total[-1, -1])


@given(costs)
def test_the_rows_first_columns_lie_on_a_cheapest_path(cost: NDArray[np.float64]) -> None:
    first = dynamic_time_warping(cost)
    spent = 0.0
    for row in range(len(cost)):
        last = cost.shape[1] - 1
        if row + 1 < len(cost):
            following = int(first[row + 1])
            # The path enters the next row from straight above or from the left above.
            stays = cost[row, first[row] : following + 1].sum()
            leaves = cost[row, first[row] : following].sum()
            spent += min(stays, leaves) if following > first[row] else stays
        else:
            spent += cost[row, first[row] : last + 1].sum()
    assert spent == pytest.approx(_cheapest_path(cost))


@given(costs)
def test_onsets_never_decrease(cost: NDArray[np.float64]) -> None:
    assert (np.diff(dynamic_time_warping(cost)) >= 0).all()


def test_a_clear_diagonal_is_followed() -> None:
    weights = np.full((2, 4, 40), 0.001, np.float32)
    for row in range(4):
        weights[:, row, 10 * row : 10 * row + 10] = 0.1
    assert onsets(weights).tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize("skip", [1, 5, 20, 40])
def test_skipped_rows_move_no_other_onset_by_more_than_a_position(skip: int) -> None:
    """Where attention is clear, a look at the last few of them is enough."""
    generator = np.random.default_rng(0)
    weights = generator.random((3, 41, 600), np.float32) * 0.01
    for row in range(41):
        weights[:, row, 14 * row : 14 * row + 14] += 0.1
    assert np.abs(onsets(weights, skip) - onsets(weights)[skip:]).max() <= 1


@pytest.mark.parametrize(("skip", "omitted"), [(8, 0), (9, 1), (20, 5), (20, 12), (40, 32)])
def test_rows_that_would_not_be_looked_at_may_be_omitted(skip: int, omitted: int) -> None:
    weights = np.random.default_rng(1).random((3, 41, 600), np.float32)
    assert (onsets(weights[:, omitted:], skip, omitted) == onsets(weights, skip)).all()
