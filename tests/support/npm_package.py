"""The npm package of the web client: packed from the source tree, and installed elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.sdk import node_with

CLIENT = ROOT / "clients" / "web"
_BEFORE = ("node_modules", "dist", "*.tgz")  # what a build left in the source tree


def manifest() -> dict[str, object]:
    """The package.json of the client."""
    found: dict[str, object] = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    return found


def pack(folder: Path) -> Path:
    """The tarball that `npm pack` makes of a copy of the sources in this empty folder."""
    built_with = manifest()["devDependencies"]
    assert isinstance(built_with, dict)
    tools = node_with("npm-package-tools", *(f"{k}@{v}" for k, v in built_with.items()))
    client = folder / "clients" / "web"
    shutil.copytree(CLIENT, client, ignore=shutil.ignore_patterns(*_BEFORE))
    shutil.copy(ROOT / "LICENSE", folder)
    (client / "node_modules").symlink_to(tools / "node_modules")
    printed = _npm(client, "pack", "--silent")
    return client / printed.splitlines()[-1]


def install(folder: Path, tarball: Path, *packages: str) -> None:
    """Install a tarball and other packages into this empty folder; skips without a registry."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"type": "module", "private": true}', encoding="utf-8")
    try:
        _npm(
            folder,
            "install",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            str(tarball),
            *packages,
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{', '.join(packages)} cannot be installed: {error.stderr.strip()[-300:]}")


def _npm(folder: Path, *arguments: str) -> str:
    npm = shutil.which("npm") or "npm"
    ended = subprocess.run(
        [npm, *arguments], cwd=folder, capture_output=True, text=True, timeout=600, check=True
    )
    return ended.stdout
