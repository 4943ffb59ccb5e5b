"""``streamwhisper cluster`` on one machine, as an operator types it; run by test_cluster.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest


@pytest.fixture
def environment(tmp_path: Path, tiny_en_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, so that no other cluster is found."""
    monkeypatch.setenv("STREAMWHISPER_CACHE", str(tmp_path))
    return tiny_en_path


def streamwhisper(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamwhisper", "cluster", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def status() -> dict[str, Any]:
    shown = streamwhisper("status", "--json")
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def of_ray() -> set[int]:
    """Processes that Ray consists of."""
    return {
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any("raylet" in part or "gcs_server" in part for part in process.info["cmdline"] or [])
    }


def test_models_are_deployed_and_shown_and_all_ends_with_stop(environment: Path) -> None:
    before = of_ray()
    model = str(environment)
    shown = streamwhisper("status")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (1, 1)
    assert "streamwhisper cluster start" in shown.stderr
    for name in ("one", "two"):
        shown = streamwhisper("start", "--model", model, "--name", name, "--dtype", "float32")
        assert shown.returncode == 0, shown.stderr
        assert f"serve --engine ray --model {name}" in shown.stdout
    found = status()
    assert {entry["name"]: entry["status"] for entry in found["models"]} == {
        "one": "RUNNING",
        "two": "RUNNING",
    }
    assert [machine["address"] for machine in found["machines"]] == ["127.0.0.1"]
    assert streamwhisper("stop", "--name", "one").returncode == 0
    assert [entry["name"] for entry in status()["models"]] == ["two"]
    assert streamwhisper("stop").returncode == 0
    assert of_ray() == before


def test_a_wrong_model_is_named_before_anything_starts(environment: Path) -> None:
    shown = streamwhisper("start", "--model", "tinny.en")
    assert shown.returncode == 1
    assert "tiny.en" in shown.stderr
    assert streamwhisper("status").returncode == 1
