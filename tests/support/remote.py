"""Browsers by their own protocols: Chromium whose tabs can be out of sight, and Firefox."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import chromium

FIREFOX = ("firefox-esr", "firefox")
# Nothing is asked, and nothing is fetched.
PREFERENCES = """
user_pref("media.navigator.permission.disabled", true);
user_pref("app.normandy.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"""


class Wire:
    """A connection that commands go over, of the DevTools protocol or of WebDriver BiDi."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def say(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command, and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") == self._number:
                assert isinstance(answer.get("result"), dict), answer
                result: dict[str, Any] = answer["result"]
                return result


class Tab:
    """A page: scripts run in it as if its user had just clicked."""

    def __init__(self, run: Callable[[str], str]) -> None:
        self._run = run

    def evaluate(self, code: str) -> Any:
        """What an expression comes to, or the promise that it is."""
        return json.loads(self._run(f"(async () => JSON.stringify((await ({code})) ?? null))()"))

    def wait_for(self, code: str, wanted: Any) -> None:
        """Until an expression comes to that."""
        deadline = time.monotonic() + 180
        while (found := self.evaluate(code)) != wanted:
            assert time.monotonic() < deadline, (code, found, wanted)
            time.sleep(0.05)


class Tabs:
    """Chromium with tabs in one window: but one of them is out of sight."""

    def __init__(self, port: str) -> None:
        self._site = f"http://127.0.0.1:{port}/json"
        self._stack = contextlib.ExitStack()

    def open(self, url: str) -> tuple[Tab, str]:
        """A new one in front, and its name."""
        made = json.loads(self._ask(f"new?{url}", "PUT"))
        wire = Wire(self._stack.enter_context(connect(made["webSocketDebuggerUrl"])))
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}

        def run(code: str) -> str:
            result = wire.say("Runtime.evaluate", expression=code, **options)["result"]
            assert result["type"] == "string", result
            text: str = result["value"]
            return text

        return Tab(run), made["id"]

    def show(self, name: str) -> None:
        """Bring one to the front."""
        self._ask(f"activate/{name}", "GET")

    def close(self) -> None:
        """Let go of them."""
        self._stack.close()

    def _ask(self, path: str, method: str) -> bytes:
        request = urllib.request.Request(f"{self._site}/{path}", method=method)
        with urllib.request.urlopen(request) as response:
            content: bytes = response.read()
            return content


@contextlib.contextmanager
def chromium_tabs(folder: Path) -> Iterator[Tabs]:
    """Chromium with a microphone that beeps; skips where there is none."""
    command = [chromium(), "--headless", "--no-sandbox", "--no-first-run"]
    command += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    command += ["--disable-background-networking", "--disable-component-update"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={folder}"]
    with _running(command, r"DevTools listening on ws://[^:]+:(\d+)/") as port:
        tabs = Tabs(port)
        with contextlib.closing(tabs):
            yield tabs


@contextlib.contextmanager
def firefox(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Tab, Wire, str]]:
    """Firefox on an empty page: its tab, a wire to it, and the tab's name; skips without it."""
    path = next(filter(None, map(shutil.which, FIREFOX)), None)
    if path is None:
        names = ", ".join(FIREFOX)
        pytest.skip(f"no Firefox: looked for {names}; tests/support/browsers.sh all installs one")
    (folder / "user.js").write_text(PREFERENCES)
    command = [path, "--headless", "--no-remote", "--profile", str(folder)]
    command += ["--remote-debugging-port=0", "about:blank"]
    with (
        _running(command, r"WebDriver BiDi listening on (\S+)", environment) as url,
        connect(f"{url}/session", max_size=None) as connection,
    ):
        wire = Wire(connection)
        wire.say("session.new", capabilities={})
        name = wire.say("browsingContext.getTree")["contexts"][0]["context"]
        options = {"target": {"context": name}, "awaitPromise": True, "userActivation": True}

        def run(code: str) -> str:
            answer = wire.say("script.evaluate", expression=code, **options)
            assert answer["type"] == "success", answer
            text: str = answer["result"]["value"]
            return text

        yield Tab(run), wire, name


@contextlib.contextmanager
def _running(
    command: list[str], sign: str, environment: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """Run a program; what it says of where it listens."""
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            found = next(filter(None, (re.search(sign, line) for line in process.stderr)))
            yield found[1]
        finally:
            process.terminate()
            process.communicate(timeout=90)
