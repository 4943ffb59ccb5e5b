"""Attacks on the Ray that ``streamwhisper cluster start`` starts; run by test_cluster_start.py.

No setting of Ray is in the environment. The attacker is a process of this
machine without the token.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from streamwhisper.cli.flags import DEFAULT_ADDRESS

pytestmark = pytest.mark.timeout(900)

CLIENT_ADDRESS = "ray://127.0.0.1:10001"
RUN_CODE = """
import sys, ray
ray.init(sys.argv[2], logging_level="ERROR")
@ray.remote(num_cpus=0)
def write(path):
    with open(path, "w") as file:
        file.write("here")
ray.get(write.remote(sys.argv[1]), timeout=60)
"""
NOBODY = 65534
OTHERS = {
    "no token": {"RAY_AUTH_MODE": "disabled"},
    "another token": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)},
}
PATHS = ["/get_or_create_runtime_env", "/api/job_agent/jobs/", "/api/jobs/", "/api/local_raylet"]


def streamwhisper(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamwhisper", "cluster", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def cluster(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running cluster, with one model."""
    assert not [name for name in os.environ if name.startswith("RAY_AUTH")]
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMWHISPER_CACHE", str(cache))
        flags = ["--model", str(tiny_en_path), "--name", "guarded", "--dtype", "float32"]
        shown = streamwhisper("start", *flags)
        try:
            assert shown.returncode == 0, shown.stderr
            yield cache / "cluster"
        finally:
            session = (cache / "cluster" / "session").resolve()
            streamwhisper("stop")
    assert not session.exists()
    assert not (cache / "cluster" / "token").exists()


def run_code(access: dict[str, str], address: str, marker: Path) -> bool:
    """Try to run code on the cluster as a process with these settings; return whether it ran."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", RUN_CODE, str(marker), address],
            capture_output=True,
            check=False,
            timeout=180,
            env={**os.environ, **access},
        )
    return marker.exists()


def listening(cluster: Path) -> set[tuple[str, int]]:
    """The addresses at which processes of the cluster listen."""
    group = int((cluster / "ray.pid").read_text())
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group:
                found |= {
                    (connection.laddr.ip, connection.laddr.port)
                    for connection in process.net_connections("tcp")
                    if connection.status == psutil.CONN_LISTEN
                }
    return found


@pytest.mark.parametrize("address", [DEFAULT_ADDRESS, CLIENT_ADDRESS], ids=["driver", "client"])
def test_code_runs_with_the_token_only(cluster: Path, address: str, tmp_path: Path) -> None:
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(cluster / "token")}
    assert run_code(own, address, tmp_path / "own")
    for number, access in enumerate(OTHERS.values()):
        assert not run_code(access, address, tmp_path / str(number))


@pytest.mark.parametrize("access", OTHERS.values(), ids=OTHERS)
def test_a_node_without_the_token_is_refused(cluster: Path, access: dict[str, str]) -> None:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={DEFAULT_ADDRESS}"]
    ended = subprocess.run(
        [*command, "--node-ip-address=127.0.0.1", "--disable-usage-stats"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **access},
    )
    assert ended.returncode != 0
    assert streamwhisper("status", "--json").stdout.count('"alive": true') == 1


def test_all_servers_are_on_loopback_and_refuse_requests(cluster: Path) -> None:
    found = listening(cluster)
    assert len(found) >= 5  # GCS, raylet, object manager, agents
    addresses = [ipaddress.ip_address(host.removeprefix("::ffff:")) for host, _ in found]
    assert all(address.is_loopback for address in addresses), found
    answers = set()
    for _, port in found:
        for path in PATHS:
            with contextlib.suppress(OSError, http.client.HTTPException):
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                server.request("POST", path, b"{}", {"Content-Type": "application/json"})
                answers.add(server.getresponse().status)
    assert 401 in answers
    assert not {status for status in answers if status < 400}, answers


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_reaches_neither_the_token_nor_a_socket(cluster: Path) -> None:
    session = (cluster / "session").resolve()
    sockets = [path for path in session.rglob("*") if path.is_socket()]
    assert {path.name for path in sockets} >= {"plasma_store", "raylet"}
    assert (cluster / "token").stat().st_mode & 0o777 == 0o600
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=reach, args=(theirs, cluster / "token", sockets))
    process.start()
    assert ours.recv() == dict.fromkeys([cluster / "token", *sockets], "PermissionError")
    process.join()


def reach(answer: Connection, token: Path, sockets: list[Path]) -> None:
    """As another user, open these paths; report what came of each."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    found = {}
    for path in [token, *sockets]:
        try:
            if path == token:
                path.read_text()
            else:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(path))
        except OSError as error:
            found[path] = type(error).__name__
        else:
            found[path] = "reached"
    answer.send(found)


def test_a_cluster_of_another_user_is_not_joined(cluster: Path, tmp_path: Path) -> None:
    """Its Ray could run code in whoever joins."""
    other = {**os.environ, "STREAMWHISPER_CACHE": str(tmp_path)}
    assert streamwhisper("status").returncode == 0
    shown = streamwhisper("status", environment=other)
    assert shown.returncode == 1
    assert "no cluster of this user" in shown.stderr
    other["RAY_AUTH_MODE"] = "disabled"
    shown = streamwhisper("status", environment=other)
    assert shown.returncode == 1
    assert "the tokens differ" in shown.stderr.splitlines()[-1]
