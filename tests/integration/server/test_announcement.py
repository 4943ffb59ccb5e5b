"""What ``serve`` says of its addresses, and the page that it shows."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamwhisper.cli.announcement import announce, open_page, page_at
from tests.support.serve_command import running


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("ws://127.0.0.1:8765/v1/stream", "http://127.0.0.1:8765/"),
        ("wss://captions.example:443/v1/stream", "https://captions.example:443/"),
        ("ws://[::1]:80/v1/stream", "http://[::1]:80/"),
        # These are for listening; a browser goes elsewhere.
        ("wss://0.0.0.0:8765/v1/stream", "https://127.0.0.1:8765/"),
        ("ws://[::]:8765/v1/stream", "http://[::1]:8765/"),
    ],
)
def test_the_page_is_at_the_root_of_the_same_server(url, page):
    assert page_at(url) == page


def test_a_server_of_this_machine_says_two_addresses(capsys):
    announce("ws://127.0.0.1:8765/v1/stream", None)
    assert capsys.readouterr().out.splitlines() == [
        "Listening on ws://127.0.0.1:8765/v1/stream",
        "Captions in a browser: http://127.0.0.1:8765/",
    ]


def test_without_a_browser_it_is_said_where_the_page_is(monkeypatch, capsys):
    monkeypatch.setattr("webbrowser._tryorder", [])  # none is installed
    open_page("http://127.0.0.1:8765/").join()
    assert "Open http://127.0.0.1:8765/ in one" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="the browser is started by a shell")
def test_the_page_opens_in_the_browser_of_the_environment(tiny_en_path, tmp_path: Path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium")
    shown, started = tmp_path / "page.html", tmp_path / "started"
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\n{chromium} --headless --no-sandbox --disable-gpu --user-data-dir="{tmp_path}" '
        f'--disable-background-networking --dump-dom "$1" >"{shown}.part" 2>"{started}"\n'
        f'mv "{shown}.part" "{shown}"\n'
    )
    browser.chmod(0o755)
    with running("--model", str(tiny_en_path), "--open", BROWSER=str(browser)) as (process, _):
        while not shown.exists():
            assert process.poll() is None
            subprocess.run(["sleep", "0.05"], check=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
    assert re.search(r"<title>[^<]+</title>", shown.read_text())
    assert "tiny.en" in shown.read_text()
