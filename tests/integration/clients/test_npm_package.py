"""The npm package, packed and installed elsewhere, under Node with real speech and weights."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.version import __version__
from tests.support.npm_package import CLIENT, install, manifest, pack
from tests.support.paths import SUPPORT
from tests.support.transcripts import compare

PROGRAMS = ("npm_node.mjs", "npm_refusals.mjs", "npm_types.ts")
PACKAGES = ("ws@8.23.0", "typescript@7.0.2", "@types/ws@8.18.2")
EXPECTED = {"README.md", "package.json", "dist/LICENSE", "dist/streamwhisper.js", "worklet.js"}
CLIP = "librispeech/61-70968-0000"


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def consumer(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of another project, which has installed the package."""
    folder = tmp_path_factory.mktemp("consumer")
    install(folder, tarball, *PACKAGES)
    for name in PROGRAMS:
        shutil.copy(SUPPORT / "clients" / name, folder)
    return folder


async def run(folder: Path, *command: str) -> tuple[int, str]:
    """Run a command; its status, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(120):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    sys.stderr.write(printed.decode()[-2000:])
    return process.returncode or 0, printed.decode()


def test_the_package_has_one_script_with_types_and_no_sources(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
        bundle = archive.extractfile("package/dist/streamwhisper.js")
        assert bundle is not None
        script = bundle.read().decode()
    types = {name for name in names if name.endswith(".d.ts")}
    assert names == EXPECTED | types
    imported = re.findall(r'from "\./([\w.]+)\.js"', (CLIENT / "index.d.ts").read_text())
    assert types == {"index.d.ts"} | {f"{name}.d.ts" for name in imported}
    assert not re.search(r"^\s*import\b|\brequire\(|import\.meta", script, re.MULTILINE)
    assert script.startswith(f"/* streamwhisper {__version__}, MIT License */")


def test_the_package_has_the_version_of_the_server() -> None:
    assert manifest()["version"] == __version__


async def test_a_program_under_node_writes_down_a_file_and_reads_along(
    recognizer: Any, consumer: Path, speech: Any, tmp_path: Path
) -> None:
    clip = speech.clip(CLIP)
    sound = tmp_path / "speech.raw"
    sound.write_bytes((speech.load(clip) * 32767).astype("<i2").tobytes())
    async with Server(recognizer, ServerOptions(port=0)) as server:
        url = f"http://127.0.0.1:{server.port}"  # no path, and no ws
        status, printed = await run(consumer, "node", "npm_node.mjs", url, str(sound))
    assert status == 0, printed
    result = json.loads(printed)
    events = result["events"]
    text = "".join(event["text"] for event in events if event["type"] == "committed")
    assert compare(clip["text"], text).total <= 0.15 * len(clip["text"].split()), text
    kinds = [event["type"] for event in events]
    assert kinds[0] == "state"
    assert {"ready", "partial", "committed", "status", "done"} <= {*kinds}
    assert kinds[-2:] == ["done", "state"]
    assert events[-1]["state"] == result["state"] == "done"
    assert result["done"]["audio_seconds"] == pytest.approx(
        len(speech.load(clip)) / 16000, abs=0.01
    )
    assert result["again"] == []
    read = "".join(event["text"] for event in result["read"] if event["type"] == "committed")
    assert read == text
    assert [event["viewers"] for event in events if event["type"] == "status"][-1] == 1


async def test_a_program_under_node_is_told_what_is_wrong(
    recognizer: Any, consumer: Path, dead_url: str
) -> None:
    async with Server(recognizer, ServerOptions(port=0)) as server:
        url = f"127.0.0.1:{server.port}"  # no scheme
        status, printed = await run(consumer, "node", "npm_refusals.mjs", url, dead_url)
    assert status == 0, printed
    found = json.loads(printed)
    codes = {name: fault and fault["code"] for name, fault in found.items()}
    no_class = found.pop("no_class")
    if no_class is not None:  # Node 22 has a WebSocket
        assert no_class["code"] == "no_websocket"
        assert "Install the package ws" in no_class["message"]
    assert {**codes, "no_class": None} == {
        "no_class": None,
        "relative": "bad_url",
        "scheme": "bad_url",
        "language": "unsupported_language",
        "dead": "connection_lost",
        "room": "not_found",
    }
    assert all(fault["name"] == "StreamWhisperError" for fault in found.values())
    assert "letters, digits" in found["room"]["message"]


async def test_the_types_fit_how_the_package_is_used(consumer: Path) -> None:
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext")
    lib = ("--lib", "es2022,dom,dom.iterable", "--types", "ws")
    status, printed = await run(consumer, "node_modules/.bin/tsc", *options, *lib, "npm_types.ts")
    assert (status, printed) == (0, "")
