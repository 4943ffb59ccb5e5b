"""The captions page in Firefox, with a microphone that hears real speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from browser import serving, write_microphone
from captions_page import LISTEN_UNTIL_QUIET
from microphones import microphones
from remote import firefox
from test_kill import compare

TEXT = "document.getElementById('{}').textContent"
START = "document.getElementById('start').click()"


def test_what_is_said_stands_on_the_page_in_firefox_too(
    tiny_en_path: Path, speech: Any, tmp_path: Path
) -> None:
    clip = speech.clips("ls-dev")[0]
    path = tmp_path / "speech.wav"
    write_microphone(path, speech.load(clip))
    profile = tmp_path / "profile"
    profile.mkdir()
    with microphones(tmp_path) as plugged:
        plugged.plug("Lectern")
        environment = {**plugged.environment, "HOME": str(tmp_path)}
        with firefox(profile, environment) as (tab, wire, name), serving(tiny_en_path) as servers:
            wire.say("browsingContext.navigate", context=name, url=servers.url, wait="complete")
            tab.evaluate(START)
            tab.wait_for(TEXT.format("status"), "Listening")
            with plugged.speak("Lectern", path):
                pass
            tab.evaluate(f"({LISTEN_UNTIL_QUIET})()")
            tab.evaluate(START)
            tab.wait_for(TEXT.format("status"), "Ready")
            text = tab.evaluate(TEXT.format("captions"))
            options = tab.evaluate("""[...document.getElementById("source").options]
              .map(({ text, disabled }) => [text, disabled])""")
    assert compare(clip["text"], text).total <= 0.15 * len(clip["text"].split()), text
    assert ["Lectern", False] in options
    assert options[-1] == ["Sound of a tab: not in this browser", True]
