"""Shared fixtures: real speech, weights and a recognizer (or a reason to skip), a file server."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from streamwhisper.errors import ModelError
from tests.support.file_server import FileServer
from tests.support.paths import ROOT
from tests.support.scheduling import slow_first

# A busy machine is no reason for a property to fail.
settings.register_profile("full", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "full"))

# huggingface_hub would ask its hub for a list of agents whatever hub it is told to use.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# Several workers share the cores: each computes with one thread, and so do its servers.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

Clip = dict[str, Any]
Samples = NDArray[np.float32]

DEFAULT_SPEECH = ROOT.parent / "shared" / "speech"


# What a test needs, by the fixtures it uses and by the folder it lies in.
NEEDS = {
    "recognizer": "weights",
    "tiny_en_path": "weights",
    "base_path": "weights",
    "speech": "speech",
}
FOLDERS = {"cluster": "ray", "desktop": "desktop", "web": "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need."""
    for item in items:
        names = [*getattr(item, "fixturenames", ())]
        if (call := getattr(item, "callspec", None)) is not None:  # fixtures named by a parameter
            names += [value for value in call.params.values() if isinstance(value, str)]
        needed = {NEEDS[name] for name in names if name in NEEDS}
        folders = item.path.relative_to(ROOT).parts[2:-1]
        needed |= {FOLDERS[name] for name in folders if name in FOLDERS}
        for name in needed:
            item.add_marker(name)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = slow_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file in one worker, and start with the slow ones."""
    from tests.support.scheduling import ByFile

    return ByFile(config, log)


@dataclass(frozen=True)
class Speech:
    """A folder of real speech with a manifest (one JSON object a line)."""

    folder: Path

    def clips(self, set_name: str) -> list[Clip]:
        """The manifest's lines of one set, in order."""
        return [clip for clip in _manifest(self.folder) if clip["set"] == set_name]

    def clip(self, id: str) -> Clip:
        """One line of the manifest."""
        return next(clip for clip in _manifest(self.folder) if clip["id"] == id)

    def load(self, clip: Clip) -> Samples:
        """The clip's sound: float32, mono, 16 kHz."""
        from streamwhisper.audio.files import read_audio

        return read_audio(self.folder / clip["path"])


@cache
def _manifest(folder: Path) -> list[Clip]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def speech() -> Speech:
    folder = Path(os.environ.get("STREAMWHISPER_SPEECH", DEFAULT_SPEECH))
    if not (folder / "manifest.jsonl").is_file():
        pytest.skip(f"no speech at {folder}; set STREAMWHISPER_SPEECH to a folder with a manifest")
    return Speech(folder)


def _weights(name: str) -> Path:
    from streamwhisper.checkpoints.hub import HubOptions, resolve

    try:
        return resolve(name, options=HubOptions.from_environment(os.environ))
    except ModelError as error:
        pytest.skip(f"no weights of {name}: {error}")


@pytest.fixture(scope="session")
def tiny_en_path() -> Path:
    return _weights("tiny.en")


@pytest.fixture(scope="session")
def base_path() -> Path:
    return _weights("base")


@pytest.fixture(scope="session")
def recognizer(tiny_en_path: Path) -> Any:
    """tiny.en in float32 on one thread."""
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer

    return LocalRecognizer.load(tiny_en_path, LocalOptions(dtype="float32", threads=1))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def dead_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
