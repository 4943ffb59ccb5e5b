"""WebKit on a screen of its own, by the WebDriver protocol."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.remote import Tab

BROWSERS = "usr/lib/*/webkit2gtk-4.*/MiniBrowser"
PATIENCE = 60  # seconds for it to start
RUN = """
const done = arguments[arguments.length - 1];
CODE.then(done, (error) => done(`failed: ${error}`));
"""


class Driver:
    """Says to a WebDriver what is to be done."""

    def __init__(self, port: int) -> None:
        self._site = f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """The answer's value."""
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(f"{self._site}{path}", method=method, data=data)
        with urllib.request.urlopen(request) as response:
            return json.load(response)["value"]

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(urllib.error.URLError):
                self.ask("GET", "/status")
                return
            assert time.monotonic() < deadline, "the driver does not answer"
            time.sleep(0.05)


@contextlib.contextmanager
def webkit(folder: Path, url: str) -> Iterator[Tab]:
    """A page in WebKit, which has a folder for itself; skips where there is none."""
    browser = next(Path("/").glob(BROWSERS), None)
    missing = [name for name in ("Xvfb", "WebKitWebDriver") if shutil.which(name) is None]
    if browser is None or missing:
        pytest.skip(
            f"no WebKit: looked for WebKitWebDriver, /{BROWSERS} and Xvfb; "
            "tests/support/browsers.sh all installs them"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with _screen() as display, contextlib.ExitStack() as stack:
        home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        process = subprocess.Popen(
            ["WebKitWebDriver", f"--port={port}"],
            env={**os.environ, **home, "DISPLAY": display, "GDK_BACKEND": "x11"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait, timeout=90)
        stack.callback(process.terminate)
        driver = Driver(port)
        driver.wait()
        options = {"binary": str(browser), "args": ["--automation"]}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        session = f"/session/{driver.ask('POST', '/session', capabilities=wanted)['sessionId']}"
        stack.callback(driver.ask, "DELETE", session)
        driver.ask("POST", f"{session}/timeouts", script=120_000)
        driver.ask("POST", f"{session}/url", url=url)

        def run(code: str) -> str:
            script = RUN.replace("CODE", code)
            text: str = driver.ask("POST", f"{session}/execute/async", script=script, args=[])
            return text

        yield Tab(run)


@contextlib.contextmanager
def _screen() -> Iterator[str]:
    """A screen without hardware: its name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp"]
    with (
        os.fdopen(reading) as told,
        subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as process,
    ):
        os.close(writing)
        try:
            yield f":{told.readline().strip()}"
        finally:
            process.terminate()
