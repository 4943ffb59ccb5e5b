"""The command ``serve``: its settings, and a server that it runs."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from tests.support.command import START


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, "serve", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "400", **environment},
    )


# However busy the machine is, a session is accepted.
FLAGS = ["--port", "0", "--threads", "1", "--max-wait", "0"]


def settings(*arguments: str, **environment: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What holds, and where it comes from."""
    shown = serve("--print-config", *arguments, **environment)
    assert shown.returncode == 0, shown.stderr
    sources = dict(re.findall(r"^([\w-]+) = .*  # (.*)$", shown.stdout, re.MULTILINE))
    return tomllib.loads(shown.stdout), sources


@contextlib.contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server's process and its address."""
    with subprocess.Popen(
        [sys.executable, "-c", START, "serve", *FLAGS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()
