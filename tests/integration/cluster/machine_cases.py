"""``streamwhisper cluster`` on one machine, as an operator types it; run by test_cluster_start.py.

With Ray's token, which whoever joins has to know, and with its traffic encrypted.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import ray

from streamwhisper.cli.flags import DEFAULT_ADDRESS
from streamwhisper.cluster.deployment import deployed
from streamwhisper.cluster.dispatch import Patience
from streamwhisper.cluster.recognizer import RayRecognizer, join
from streamwhisper.recognition import RecognitionRequest


@pytest.fixture
def environment(
    tmp_path: Path, tiny_en_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A model, and a cache of its own, so that no other cluster is found; none is left behind."""
    monkeypatch.setenv("STREAMWHISPER_CACHE", str(tmp_path))
    yield tiny_en_path
    if (tmp_path / "cluster" / "ray.pid").exists():
        streamwhisper("stop")


def streamwhisper(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamwhisper", "cluster", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def status() -> dict[str, Any]:
    shown = streamwhisper("status", "--json")
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def of_group(number: int) -> list[str]:
    """Processes that live and were started by this one, or by those that it started."""
    found = []
    for process in psutil.process_iter(["name", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == number and process.info["status"] != "zombie":
                found.append(process.info["name"])
    return found


def test_models_are_deployed_and_shown_and_all_ends_with_stop(
    environment: Path, tmp_path: Path
) -> None:
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
    strange = {**os.environ, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    shown = streamwhisper("status", environment=strange)
    assert shown.returncode == 1
    assert "the tokens differ" in shown.stderr.splitlines()[-1]  # before it is Ray's own log
    assert streamwhisper("stop", "--name", "one").returncode == 0
    assert [entry["name"] for entry in status()["models"]] == ["two"]
    number = int((tmp_path / "cluster" / "ray.pid").read_text())
    assert of_group(number)
    assert streamwhisper("stop").returncode == 0
    assert not of_group(number)


def test_workers_are_added_while_much_waits_for_them(environment: Path) -> None:
    flags = ["--name", "busy", "--dtype", "float32", "--max-workers", "2"]
    assert streamwhisper("start", "--model", str(environment), *flags).returncode == 0
    join(DEFAULT_ADDRESS)
    recognizer = RayRecognizer("busy", patience=Patience(most=60.0))
    request = RecognitionRequest(np.full((80, 1500), -0.5, np.float32))
    deadline = time.monotonic() + 120
    while deployed()[0].workers.get("RUNNING") != 2:
        assert time.monotonic() < deadline
        recognizer.recognize([request] * 4)
    recognizer.close()
    ray.shutdown()
    assert streamwhisper("stop").returncode == 0


def test_a_wrong_model_is_named_before_anything_starts(environment: Path) -> None:
    shown = streamwhisper("start", "--model", "tinny.en")
    assert shown.returncode == 2
    assert "tiny.en" in shown.stderr
    assert streamwhisper("status").returncode == 1
