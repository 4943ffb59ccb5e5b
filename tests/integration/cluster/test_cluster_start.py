"""Clusters that ``streamwhisper cluster start`` starts or joins: see the files of cases.

In a file of its own, so that it runs beside test_cluster.py: most of its time is waiting.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.support.ray_cases import run_cases


@pytest.mark.timeout(1500)  # Ray is installed on first use
@pytest.mark.parametrize(
    ("cases", "access"),
    [
        ("machine", {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}),
        ("access", {}),
    ],
    ids=["machine", "access"],
)
def test_everything_holds_on_a_started_cluster(
    cases: str, access: dict[str, str], tmp_path: Path
) -> None:
    run_cases(f"{cases}_cases.py", access, tmp_path)
