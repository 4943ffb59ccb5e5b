"""The simulation of a fleet: it agrees with what can be said without one, and loses nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.cluster.fleet import predictions
from benchmarks.cluster.simulation import Fleet, Service, simulate

EVEN = Service([0.05], [0.15], overhead=0.0)
ALONE = Fleet(speakers=1, workers=1)


def test_alone_an_update_takes_what_it_costs() -> None:
    outcome = simulate(ALONE, EVEN, seconds=120)
    assert outcome.forgotten == outcome.lost == 0
    assert sorted(outcome.waits)[len(outcome.waits) // 2] == pytest.approx(0.05)
    # The window's first one has no past.
    assert max(outcome.waits) == pytest.approx(0.15)


def test_work_is_what_was_asked_for_times_what_it_costs() -> None:
    outcome = simulate(Fleet(speakers=20, workers=4), EVEN, seconds=60)
    forgotten = outcome.forgotten + outcome.windows
    expected = 0.05 * len(outcome.waits) + 0.1 * forgotten
    assert outcome.busy == pytest.approx(expected, rel=0.02)
    assert outcome.utilization == pytest.approx(outcome.busy / 240)


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (Fleet(40, 4), Fleet(20, 4)),
        (Fleet(20, 4), Fleet(20, 8)),
        (Fleet(20, 4, cores=2), Fleet(20, 4)),
        (Fleet(20, 4, lifetime=20.0), Fleet(20, 4)),
    ],
)
def test_more_load_or_less_to_bear_it_makes_updates_wait(worse: Fleet, better: Fleet) -> None:
    waits = [simulate(fleet, EVEN, seconds=60).row()["wait_p95"] for fleet in (worse, better)]
    assert waits[0] > waits[1]


def test_batches_help_where_they_are_cheap() -> None:
    crowd = Fleet(speakers=30, workers=1, queue=64)
    cheap = replace(EVEN, more=0.1)
    alone, together = simulate(crowd, cheap), simulate(replace(crowd, batch=32), cheap)
    assert together.row()["wait_p95"] < alone.row()["wait_p95"] / 2


def test_who_speaks_when_a_worker_dies_is_answered_by_another() -> None:
    """Every speaker goes on: there are as many updates as without deaths, but for a few."""
    fleet = Fleet(speakers=8, workers=4)
    calm = simulate(fleet, EVEN, seconds=120)
    deadly = simulate(replace(fleet, lifetime=20.0, restart=5.0), EVEN, seconds=120)
    assert deadly.lost > 0
    assert deadly.forgotten > calm.forgotten
    assert len(deadly.waits) > 0.9 * len(calm.waits)


def test_the_table_has_a_row_for_each_load_with_deaths_and_without() -> None:
    rows = predictions(EVEN, 2, seconds=5)
    assert len(rows) == 12
    assert {row["one dies every"] for row in rows} == {"never", "15 s"}
