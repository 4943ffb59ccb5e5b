"""A real server under attack: a well-behaved session beside it keeps its pace."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.lib.speech import Recording
from benchmarks.robustness.attacks import ATTACKS, Target
from benchmarks.robustness.hostile import beside
from tests.support.processes import ServerProcess, serving

TOKEN = "a-token-of-the-tests"
PONG = 2000  # milliseconds: generous, because the machine may be shared
MEMORY = 80  # megabytes
NAMED = {attack.name: attack for attack in ATTACKS}


@pytest.fixture(scope="module")
def attacked(
    tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, Target]]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        rest_port = free.getsockname()[1]
    flags = ["--token", TOKEN, "--rest-port", str(rest_port)]
    with serving(tiny_en_path, log, *flags) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        yield server, Target(port, rest_port, TOKEN)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def recording(speech: Any) -> Recording:
    """Three seconds of speech about a happy life."""
    clip = speech.clip("librispeech/61-70968-0002")
    return Recording("happy", speech.load(clip), "", ())


@pytest.mark.parametrize(
    "name",
    [
        "viewer: pings, never read",
        "50 viewers: pings, answers read",
        "session: pings, never read",
        "session: endless fragments",
        "20 sessions: empty binary frames",
        "12 realtime clients: events of 16 MiB",
        "4 clients: JSON of 20 MiB without audio",
        "400 viewers: messages of 1 MB that do not end",
        "400 connections: headers of 1 MB that do not end",
    ],
)
def test_an_attack_neither_delays_another_session_nor_fills_the_memory(
    name: str, attacked: tuple[ServerProcess, Target], recording: Recording
) -> None:
    server, target = attacked
    seen = beside(server.process.pid, target, NAMED[name], recording)
    assert seen["pong_max_ms"] < PONG
    assert seen["memory_peak_mb"] - seen["memory_before_mb"] < MEMORY
    assert seen["session_ms"] is not None


@pytest.mark.parametrize(
    "name", ["1,000 viewers, 1,024 open files", "1,000 silent connections, 1,024 open files"]
)
def test_connections_without_a_key_leave_files_for_sessions_and_health_checks(
    name: str, tiny_en_path: Path, tmp_path: Path, recording: Recording
) -> None:
    log = tmp_path / "log"
    with serving(tiny_en_path, log, "--token", TOKEN, before=few_files) as server:
        target = Target(int(server.url.split(":")[2].split("/")[0]), 0, TOKEN)
        seen = beside(server.process.pid, target, NAMED[name], recording)
    assert seen["pong_max_ms"] < PONG
    assert seen["session_ms"] is not None
    assert seen["health_ms"] is not None
    assert "1024 files can be open" in log.read_text()


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 1024))


def test_uploads_that_never_go_on_keep_no_other_client_out(
    attacked: tuple[ServerProcess, Target], recording: Recording
) -> None:
    server, target = attacked
    seen = beside(server.process.pid, target, NAMED["100 uploads of one byte"], recording)
    assert seen["session_ms"] is not None
    assert seen["upload_ms"] is not None
