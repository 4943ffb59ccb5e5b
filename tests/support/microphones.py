"""Microphones without hardware: a sound server of its own, in which they are plugged in and out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = ("pulseaudio", "pactl", "paplay")
# Without norewinds recording begins late.
SINK = "module-null-sink sink_name={0}-sink rate=16000 channels=1 format=s16le norewinds=1"
SOURCE = (
    "module-remap-source source_name={0} master={0}-sink.monitor "
    "source_properties=device.description={0}"
)
LISTENERS = ("list", "short", "source-outputs")


class Microphones:
    """Each is known by its name, and hears what is spoken into it alone."""

    def __init__(self, folder: Path) -> None:
        """Start the server.

        Args:
            folder: that it has for itself.
        """
        runtime = {"XDG_RUNTIME_DIR": str(folder), "PULSE_RUNTIME_PATH": str(folder / "pulse")}
        self.environment = {**os.environ, **runtime}
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--use-pid-file=no", "-L", "module-native-protocol-unix auth-anonymous=1"]
        self._server = subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._modules: dict[str, str] = {}  # of the microphones that are plugged in
        self._sinks: set[str] = set()
        deadline = time.monotonic() + 90
        while self._pactl("info") is None:
            assert time.monotonic() < deadline, "pulseaudio does not answer"
            time.sleep(0.02)

    def plug(self, name: str) -> None:
        """Plug one in."""
        if name not in self._sinks:
            self._load(SINK.format(name))
            self._sinks.add(name)
        self._modules[name] = self._load(SOURCE.format(name))

    def unplug(self, name: str) -> None:
        """Pull one out, whoever listens."""
        self._pactl("unload-module", self._modules.pop(name))

    def speak(self, name: str, path: Path) -> subprocess.Popen[bytes]:
        """Play a WAV file into one, from now on; the process that does."""
        command = ["paplay", f"--device={name}-sink", str(path)]
        return subprocess.Popen(command, env=self.environment)

    def await_listener(self) -> None:
        """Wait until somebody listens to one of them."""
        deadline = time.monotonic() + 180
        # A microphone that is plugged in listens to its sink.
        while len((self._pactl(*LISTENERS) or "").splitlines()) <= len(self._modules):
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.02)

    def close(self) -> None:
        """End the server."""
        with self._server:
            self._server.terminate()

    def _load(self, module: str) -> str:
        number = self._pactl("load-module", *module.split())
        assert number is not None, module
        return number

    def _pactl(self, *words: str) -> str | None:
        result = subprocess.run(
            ["pactl", *words], env=self.environment, capture_output=True, text=True
        )
        return result.stdout.strip() if result.returncode == 0 else None


@contextlib.contextmanager
def microphones(folder: Path) -> Iterator[Microphones]:
    """None is plugged in yet; skips where there is no sound server to start."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}; tests/support/browsers.sh installs pulseaudio")
    running = Microphones(folder)
    try:
        yield running
    finally:
        running.close()
