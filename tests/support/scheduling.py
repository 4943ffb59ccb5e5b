"""How the tests of a full run are spread over worker processes.

A file stays in one worker, so that its servers and models are loaded once. Slow files start
first, so that no worker is busy alone at the end. The tests of a few files are independent and
each take long: they are spread one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

# Slowest first; found with `make test ARGS=--durations=200`.
SLOW = (
    "integration/cluster/test_cluster_start.py",
    "integration/cluster/test_cluster.py",
    "integration/engine/test_decoding.py",
    "integration/benchmarks/test_sizes.py",
    "integration/engine/test_sequential.py",
    "integration/clients/test_frameworks.py",
    "integration/clients/test_reconnect.py",
    "integration/cli/test_cli.py",
    "integration/server/test_kill.py",
    "integration/engine/test_search.py",
    "integration/engine/test_session.py",
    "integration/web/",
    "integration/clients/",
    "integration/desktop/",
    "integration/benchmarks/",
    "integration/cli/",
    "integration/engine/",
    "integration/server/",
    "integration/",
)
SPREAD = ("integration/clients/test_reconnect.py",)


class ByFile(LoadScopeScheduling):
    """A scheduler whose unit of work is a file, or a single test of a file in `SPREAD`."""

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the order is that of `slow_first`

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path.endswith(SPREAD) else path


def slow_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with the slowest files first, otherwise in the same order."""

    def rank(item: pytest.Item) -> int:
        path = item.nodeid.removeprefix("tests/")
        return next(
            (number for number, name in enumerate(SLOW) if path.startswith(name)), len(SLOW)
        )

    return sorted(items, key=rank)
