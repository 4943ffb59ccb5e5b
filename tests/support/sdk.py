"""Real client SDKs, each installed into a folder of its own, or a reason to skip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks.peers.peer_setup import PeerError, environment, executable, peer_folder

INSTALL_SECONDS = 900


def _alone(name: str) -> FileLock:
    """A lock, so that one of several test processes installs and the others wait for it."""
    peer_folder().mkdir(parents=True, exist_ok=True)
    return FileLock(peer_folder() / f"{name}.lock")


def python_with(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment with these packages, all pinned.

    It is made on first use under the user's cache, and kept.
    """
    try:
        with _alone(name):
            return executable(environment(name, requirements, torch=False), "python")
    except PeerError as error:
        pytest.skip(f"{name} cannot be installed: {error}")


def node_with(name: str, *packages: str) -> Path:
    """A folder whose scripts can import these pinned packages of npm; it is made once and kept."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm; with Debian: apt install npm")
    folder = peer_folder() / name
    with _alone(name):
        _install(folder, npm, packages)
    return folder


def _install(folder: Path, npm: str, packages: tuple[str, ...]) -> None:
    """Install packages of npm into a folder, unless it has them."""
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
            pytest.skip(f"{folder.name} cannot be installed: {ended.stderr.strip()[-300:]}")
        stamp.write_text(wanted, encoding="utf-8")
