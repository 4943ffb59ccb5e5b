"""``streamwhisper serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial

import psutil


class Server:
    """``streamwhisper serve`` in a process of its own; watches its memory."""

    def __init__(
        self, model: str, threads: int, arguments: list[str], open_files: int | None = None
    ) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the server
        command = [sys.executable, "-m", "streamwhisper", "serve", "--model", model]
        command += ["--port", "0", "--threads", str(threads), *arguments]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            preexec_fn=None if open_files is None else partial(_limit_files, open_files),
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if "ws://" not in line:
            self._process.wait()
            self._log.seek(0)
            raise SystemExit(f"the server did not start: {self._log.read()[-2000:]}")
        self.url = line.split()[-1]
        self._watched = psutil.Process(self._process.pid)
        self.peak_rss = 0

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        self.peak_rss = max(self.peak_rss, self._watched.memory_info().rss)
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def log(self) -> str:
        """What it has written so far."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self._process.terminate()
        self._process.wait(60)
        self._log.close()


def _limit_files(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def running_server(
    model: str, threads: int, arguments: list[str], *, open_files: int | None = None
) -> Iterator[Server]:
    """A server for as long as the block runs; it can open at most `open_files` files."""
    server = Server(model, threads, arguments, open_files)
    try:
        yield server
    finally:
        server.stop()
