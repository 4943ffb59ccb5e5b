"""Real clients of others, each with what it needs in a folder of its own, or a reason to skip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers.peer_setup import PeerError, environment, executable, peer_folder

INSTALL_SECONDS = 900


def python_with(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment with these packages, all pinned.

    It is made on first use under the user's cache, and kept.
    """
    try:
        return executable(environment(name, requirements, torch=False), "python")
    except PeerError as error:
        pytest.skip(f"{name} cannot be installed: {error}")


def node_with(name: str, *packages: str) -> Path:
    """A folder whose scripts can import these packages of npm, all pinned; likewise."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm; with Debian: apt install npm")
    folder = peer_folder() / name
    stamp, wanted = folder / "packages.txt", "\n".join(packages)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"installing {', '.join(packages)} into {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
        ended = subprocess.run(
            [*command, *packages],
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if ended.returncode:
            pytest.skip(f"{name} cannot be installed: {ended.stderr.strip()[-300:]}")
        stamp.write_text(wanted, encoding="utf-8")
    return folder
