"""Open files are shared out, and newcomers cannot use up those of others."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from streamwhisper.server.access.open_files import FileBudget, Newcomers


class Transport:
    """A connection that may be aborted."""

    def __init__(self) -> None:
        self.aborted = False

    def close(self) -> None:
        self.aborted = True

    abort = close


@pytest.mark.parametrize("files", [64, 256, 1024, 4096, 65536])
@pytest.mark.parametrize("ports", [1, 2])
def test_viewers_and_newcomers_leave_files_for_every_session(files: int, ports: int) -> None:
    budget = FileBudget.of(files, 100, per_session=3, ports=ports)
    assert budget.viewers >= 0
    assert budget.newcomers >= 16
    if budget.viewers:
        assert budget.viewers + budget.newcomers * ports + 300 < files


def test_a_usual_server_has_room_for_all_viewers() -> None:
    assert FileBudget.of(4096, 100, per_session=3, ports=2).viewers >= 1000


def test_the_oldest_newcomer_gives_way_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    newcomers = Newcomers(2)
    connections: list[Any] = [Transport() for _ in range(5)]
    with caplog.at_level(logging.WARNING):
        for connection in connections:
            newcomers.add(connection)
    assert [connection.aborted for connection in connections] == [True, True, True, False, False]
    assert len(newcomers) == 2
    assert len(caplog.records) == 1


def test_who_has_arrived_is_no_newcomer() -> None:
    newcomers = Newcomers(1)
    first: Any = Transport()
    newcomers.add(first)
    newcomers.remove(first)
    newcomers.remove(first)
    second: Any = Transport()
    newcomers.add(second)
    assert not first.aborted
    assert not second.aborted
