"""Runs a file of cases with Ray, in a network of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from streamwhisper.server.access.tls import self_signed
from tests.support.paths import ROOT
from tests.support.sdk import python_with

FOLDER = ROOT / "tests" / "integration" / "cluster"
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


def run_cases(cases: str, access: dict[str, str], tmp_path: Path) -> None:
    """Run a file of cases; without a network of its own Ray would listen on the outer address."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-n", "true"], check=False).returncode:
        pytest.skip("a network of its own needs Linux, unshare and the right to use it")
    python = ray_python()
    inside = 'ip link set lo up && exec "$@"'
    command = [unshare, "-n", "sh", "-c", inside, "sh", str(python), "-m", "pytest"]
    # Ray leaves sockets and files open.
    command += ["-q", "-n", "0", "-o", "timeout=1400", "-p", "no:cacheprovider"]
    command += ["-p", "tests.support.ray_cluster"]
    command += ["-W", "ignore::ResourceWarning", str(FOLDER / cases)]
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
