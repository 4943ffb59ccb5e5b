"""The engine on a Ray cluster, in a network of its own: see the files of cases."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from streamwhisper.server.access.tls import self_signed
from tests.support.paths import ROOT
from tests.support.sdk import python_with

RAY = "ray[serve]==2.60.0"


def ray_python() -> Path:
    """An interpreter that has Ray beside all that this one has."""
    if find_spec("ray") is not None:
        return Path(sys.executable)
    python = python_with("ray", RAY)
    own = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    theirs = python.parents[1] / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (theirs / "everything_else.pth").write_text(f"{own}\n{ROOT}\n", encoding="utf-8")
    return python


def encryption(folder: Path) -> dict[str, str]:
    """Ray's settings for one certificate that all its processes share."""
    cert, key = map(str, self_signed(folder))
    files = {"SERVER_CERT": cert, "SERVER_KEY": key, "CA_CERT": cert}
    return {"RAY_USE_TLS": "1", **{f"RAY_TLS_{name}": path for name, path in files.items()}}


@pytest.mark.timeout(1500)  # Ray is installed on first use
@pytest.mark.parametrize(
    ("cases", "access"),
    [
        ("cluster_cases.py", {"RAY_AUTH_MODE": "disabled"}),
        ("gateway_cases.py", {"RAY_AUTH_MODE": "disabled"}),
        ("machine_cases.py", {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}),
        ("access_cases.py", {}),
    ],
    ids=["cluster", "gateway", "machine", "access"],
)
def test_everything_holds_on_a_cluster(cases: str, access: dict[str, str], tmp_path: Path) -> None:
    """Ray asks for the machine's outer address otherwise, and listens there."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-n", "true"], check=False).returncode:
        pytest.skip("a network of its own needs Linux, unshare and the right to use it")
    python = ray_python()
    inside = 'ip link set lo up && exec "$@"'
    command = [unshare, "-n", "sh", "-c", inside, "sh", str(python), "-m", "pytest"]
    # Ray leaves sockets and files open.
    command += ["-q", "-n", "0", "-o", "timeout=1400", "-p", "no:cacheprovider"]
    command += ["-p", "tests.support.ray_cluster"]
    command += ["-W", "ignore::ResourceWarning", str(Path(__file__).parent / cases)]
    environment = {**access, "RAY_USAGE_STATS_ENABLED": "0"}
    if access.get("RAY_AUTH_MODE") == "token":
        environment |= encryption(tmp_path)
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]


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
