"""The engine on a Ray cluster, in a network of its own: see the files of cases."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.ray_cases import run_cases


@pytest.mark.timeout(1500)  # Ray is installed on first use
@pytest.mark.parametrize("cases", ["cluster", "gateway"])
def test_everything_holds_on_a_cluster(cases: str, tmp_path: Path) -> None:
    run_cases(f"{cases}_cases.py", {"RAY_AUTH_MODE": "disabled"}, tmp_path)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed here")
@pytest.mark.parametrize(
    "command", [["serve", "--engine", "ray"], ["cluster", "start"], ["cluster", "status"]]
)
def test_without_ray_it_is_said_what_to_install(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "streamwhisper", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "pip install 'streamwhisper[cluster]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
