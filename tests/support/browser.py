"""A real browser with a microphone that plays a file, and real servers that can be killed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A server loads its model and then waits for its turn.
SERVE = """
import sys
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.server.app import ServerOptions
from streamwhisper.server.run import run

recognizer = LocalRecognizer.load(sys.argv[1], LocalOptions(dtype="float32", threads=1))
print("loaded", flush=True)
sys.stdin.readline()
run(recognizer, ServerOptions(port=int(sys.argv[2])), ready=lambda url: print(url, flush=True))
"""


def chromium() -> str:
    """The browser's path; skips where there is none."""
    pytest.importorskip("playwright", reason="playwright drives the browser")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip(
            f"no browser: looked for {', '.join(CHROMIUM)}; tests/support/browsers.sh installs one"
        )
    return path


@contextlib.contextmanager
def browsing(
    microphone: Path | None,
    *,
    switches: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Any]:
    """A headless browser; a file of sound is its microphone, played once from each start."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    switches = [
        *switches,
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--no-default-browser-check",
    ]
    if microphone is not None:
        switches += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
        ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            chromium_sandbox=False,
            args=switches,
            env=None if environment is None else {**environment},
            ignore_default_args=["--mute-audio"],  # a tab that is mute shares silence
        )
        yield browser
        browser.close()


def write_microphone(path: Path, sound: NDArray[np.float32], *, after: float = 1.0) -> None:
    """A WAV file for `browsing`, with silence at both ends: 1 s, and `after` seconds."""
    samples = np.pad(sound, (16000, int(after * 16000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@contextlib.contextmanager
def serving(model: Path) -> Iterator[Servers]:
    """A server of this model that serves; another one can follow it."""
    servers = Servers(model)
    try:
        servers.load()
        servers.serve()
        yield servers
    finally:
        servers.close()


class Servers:
    """Servers on one port, one after another."""

    def __init__(self, model: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._command = [sys.executable, "-c", SERVE, str(model), str(self.port)]
        self._present: subprocess.Popen[str] | None = None
        self._next: subprocess.Popen[str] | None = None
        self._loaded = False  # the next one

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def prepare(self) -> None:
        """Begin to load the next one."""
        self._next = self._next or subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def load(self) -> None:
        """Wait until the next one is loaded."""
        self.prepare()
        assert self._next is not None
        self._loaded = self._loaded or _line(self._next) == "loaded"
        assert self._loaded

    def serve(self) -> None:
        """Have the next one, which is loaded, take the port."""
        self._present, self._next, self._loaded = self._next, None, False
        assert self._present is not None
        assert self._present.stdin is not None
        self._present.stdin.write("\n")
        self._present.stdin.flush()
        assert _line(self._present).startswith("ws://")

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the present one, by default with SIGKILL."""
        if self._present is not None:
            _end(self._present, number)
        self._present = None

    def close(self) -> None:
        """End them all."""
        self.end()
        if self._next is not None:
            _end(self._next, signal.SIGKILL)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with process:
        process.send_signal(number)
        process.wait(timeout=90)
