"""``streamwhisper serve`` in a process of its own, as an operator starts it."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import psutil


@dataclass
class ServerProcess:
    """A running server.

    Attributes:
        url: of the native protocol.
    """

    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def watched(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def get(self, path: str) -> str:
        """The body of a plain HTTP request."""
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"http://{urlsplit(self.url).netloc}{path}", timeout=90) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """The value of a metric, over all its labels."""
        lines = self.get("/metrics").splitlines()
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.split()[-1]) for line in found)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(90)

    def stop(self) -> int:
        """Ask it to stop, and wait; its exit code."""
        self.process.terminate()
        return self.process.wait(180)


def largest_file(size: int) -> Callable[[], None]:
    """For `serving`: no file can grow beyond this, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@contextlib.contextmanager
def serving(
    model: Path, log: Path, *flags: str, before: Callable[[], None] | None = None
) -> Iterator[ServerProcess]:
    """A server on a free port, never too busy for a session; its log goes to a file."""
    command = [sys.executable, "-m", "streamwhisper", "serve", "--model", str(model)]
    command += ["--port", "0", "--threads", "1", "--max-wait", "0", *flags]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=before
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ws://" in line, log.read_text()
        try:
            yield ServerProcess(process, line.split()[-1], log)
        finally:
            if process.poll() is None:
                process.kill()
