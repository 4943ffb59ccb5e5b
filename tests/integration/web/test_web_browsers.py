"""The web client in Firefox and in WebKit: its module with a file, the page with a microphone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Servers, serving, write_microphone
from tests.support.microphones import Microphones, microphones
from tests.support.remote import Tab, firefox
from tests.support.transcripts import compare
from tests.support.web_page import DICTATE
from tests.support.webkit import webkit

TEXT = "document.getElementById('{}').textContent"
PRESS = "document.getElementById('start').click()"


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microphones]:
    with microphones(tmp_path_factory.mktemp("microphones")) as running:
        running.plug("Lectern")
        yield running


@pytest.fixture(scope="module")
def servers(tiny_en_path: Path) -> Iterator[Servers]:
    with serving(tiny_en_path) as servers:
        yield servers


@pytest.fixture(scope="module")
def in_firefox(
    plugged: Microphones, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tab]:
    """The captions page."""
    profile = tmp_path_factory.mktemp("firefox")
    with firefox(profile, {**plugged.environment, "HOME": str(profile)}) as (tab, wire, name):
        wire.say("browsingContext.navigate", context=name, url=servers.url, wait="complete")
        yield tab


@pytest.fixture(scope="module")
def in_webkit(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The captions page."""
    with webkit(tmp_path_factory.mktemp("webkit"), servers.url) as tab:
        yield tab


@pytest.mark.parametrize("browser", ["in_firefox", "in_webkit"])
def test_the_module_writes_down_what_a_file_says_over_a_lost_connection(
    request: pytest.FixtureRequest, browser: str, speech: Any
) -> None:
    tab: Tab = request.getfixturevalue(browser)
    clip = speech.clips("ls-dev")[0]
    sound = (speech.load(clip) * 32767).astype("<i2").tobytes()
    given = json.dumps([base64.b64encode(sound).decode(), 4, [0.5]])
    result = tab.evaluate(f"({DICTATE})({given})")
    text = "".join(event["text"] for event in result["events"] if event["type"] == "committed")
    assert result["connections"] == 2
    assert compare(clip["text"], text).total <= 0.15 * len(clip["text"].split()), text


def test_the_page_listens_to_a_microphone_in_firefox(
    in_firefox: Tab, plugged: Microphones, speech: Any, tmp_path: Path
) -> None:
    clip = speech.clips("ls-dev")[0]
    write_microphone(tmp_path / "speech.wav", speech.load(clip))
    tab = in_firefox
    tab.evaluate(PRESS)
    tab.wait_for(TEXT.format("status"), "Listening")
    with plugged.speak("Lectern", tmp_path / "speech.wav"):
        pass  # until it has ended
    tab.evaluate(PRESS)
    tab.wait_for(TEXT.format("status"), "Ready")
    text = tab.evaluate(TEXT.format("captions"))
    # On a busy machine this browser loses some of a microphone's sound.
    assert compare(clip["text"], text).total <= 0.5 * len(clip["text"].split()), text
    options = tab.evaluate("""[...document.getElementById("source").options]
      .map(({ text, disabled }) => [text, disabled])""")
    assert ["Lectern", False] in options
    assert options[-1] == ["Tab audio: not supported by this browser", True]
