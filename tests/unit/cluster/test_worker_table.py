"""What a gateway knows of its workers."""

from __future__ import annotations

from streamwhisper.cluster.worker_table import WorkerTable
from tests.support.clock import Clock


def roster(clock: Clock, **busy: float) -> WorkerTable:
    found = WorkerTable(clock)
    for worker, share in busy.items():
        found.note(worker, share)
    return found


def test_who_has_not_answered_for_a_minute_does_not_count() -> None:
    clock = Clock()
    found = roster(clock, one=0.2, two=0.4)
    clock.now += 50
    found.note("two", 0.3)
    assert found.count == 2
    clock.now += 20
    assert found.count == 1


def test_workers_that_nobody_heard_of_lately_pass_for_idle() -> None:
    clock = Clock()
    assert roster(clock).idle == 1
    found = roster(clock, one=0.2, two=0.4)
    assert found.idle == 0.7
    clock.now += 4
    found.note("one", 0.9)
    clock.now += 4
    assert round(found.idle, 6) == 0.1
    clock.now += 4
    assert found.idle == 1


def test_a_window_leaves_a_full_worker_for_a_much_calmer_one() -> None:
    assert roster(Clock(), full=0.95, calm=0.4, calmer=0.3).calmer("full") == "calmer"
    assert roster(Clock(), full=0.95, other=0.8).calmer("full") is None
    assert roster(Clock(), busy=0.8, calm=0.1).calmer("busy") is None
    assert roster(Clock(), calm=0.1).calmer("unknown") is None
    assert roster(Clock()).calmer("unknown") is None


def test_windows_leave_one_by_one() -> None:
    """Else all would go at once to the same one."""
    clock = Clock()
    found = roster(clock, full=0.95, calm=0.1)
    assert found.calmer("full") == "calm"
    assert found.calmer("full") is None
    clock.now += 1
    assert found.calmer("full") == "calm"
    assert found.moves == 2


def test_what_is_known_of_workers_that_are_gone_does_not_grow() -> None:
    clock = Clock()
    found = WorkerTable(clock)
    for number in range(2000):
        clock.now += 1
        found.note(f"worker {number}", 0.5)
    assert len(found._answers) < 300
