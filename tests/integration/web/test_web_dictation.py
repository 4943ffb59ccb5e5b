"""What the captions page listens to: a tab that is shared, and microphones that come and go."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import Servers, browsing, serving, write_microphone
from tests.support.captions_page import stop, text_of, wait_for_words
from tests.support.microphones import Microphones, microphones
from tests.support.remote import chromium_tabs
from tests.support.transcripts import compare

SHARED = "A talk"  # the title of the tab that is shared
PLAY = """
async ([title, sound]) => {
  document.title = title;
  const context = new AudioContext();
  const bytes = Uint8Array.from(atob(sound), (sign) => sign.charCodeAt(0));
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(bytes.buffer);
  source.connect(context.destination);
  globalThis.play = () => {
    source.start();
    return new Promise((resolve) => (source.onended = resolve));
  };
}
"""


@pytest.fixture(scope="module")
def servers(tiny_en_path: Path) -> Iterator[Servers]:
    with serving(tiny_en_path) as servers:
        yield servers


@pytest.fixture(scope="module")
def said(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sentence: where it lies, and its text."""
    clip = speech.clips("ls-dev")[0]
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    write_microphone(path, speech.load(clip))
    return path, clip["text"]


@pytest.fixture
def sharing() -> Iterator[Any]:
    """A browser whose user shares the tab with a talk, whenever something is to be shared."""
    switches = [f"--auto-select-tab-capture-source-by-title={SHARED}"]
    with browsing(None, switches=switches) as browser:
        context = browser.new_context()
        context.set_default_timeout(60_000)
        yield context


def open_talk(context: Any, sound: bytes) -> Any:
    """The tab with the talk."""
    talk = context.new_page()
    talk.goto("about:blank")
    talk.evaluate(PLAY, [SHARED, base64.b64encode(sound).decode()])
    return talk


def choose_display(page: Any) -> None:
    page.locator("#source option", has_text="Audio of a tab").wait_for(state="attached")
    page.select_option("#source", "display")


def test_the_sound_of_a_shared_tab_is_written_down_until_it_is_shared_no_longer(
    sharing: Any, servers: Servers, said: tuple[Path, str]
) -> None:
    talk, page = open_talk(sharing, said[0].read_bytes()), sharing.new_page()
    page.goto(servers.url)
    choose_display(page)
    page.click("#start")
    page.get_by_text("Listening", exact=True).wait_for()
    talk.evaluate("play()")  # until it has ended
    talk.close()
    page.get_by_text("The audio is no longer shared. Press Start to continue.").wait_for()
    page.get_by_role("button", name="Start", exact=True).wait_for()
    assert compare(said[1], text_of(page)).total <= 0.15 * len(said[1].split()), text_of(page)


def test_a_share_without_sound_is_explained(
    sharing: Any, servers: Servers, said: tuple[Path, str]
) -> None:
    open_talk(sharing, said[0].read_bytes())
    page = sharing.new_page()
    page.add_init_script("""{
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getDisplayMedia.bind(mediaDevices);
      mediaDevices.getDisplayMedia = () => ask({ video: true }); // its user switched the sound off
    }""")
    page.goto(servers.url)
    choose_display(page)
    page.click("#start")
    page.get_by_text("The tab or screen was shared without audio. Press Start").wait_for()
    assert page.get_by_role("button", name="Start", exact=True).is_enabled()


def test_a_browser_that_shares_no_sound_says_so_before_it_is_tried(
    sharing: Any, servers: Servers
) -> None:
    page = sharing.new_page()
    page.add_init_script("delete MediaDevices.prototype.getDisplayMedia")
    page.goto(servers.url)
    option = page.locator("#source option", has_text="Tab audio: not supported by this browser")
    option.wait_for(state="attached")
    assert option.is_disabled()


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Microphones]:
    """Two microphones, of which the first is the usual one."""
    with microphones(tmp_path) as running:
        running.plug("Headset")
        running.plug("Desk")
        yield running


@pytest.fixture
def dictating(plugged: Microphones, servers: Servers) -> Iterator[Any]:
    """A page that listens to the headset."""
    with browsing(None, environment=plugged.environment) as browser:
        context = browser.new_context(permissions=["microphone"])
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.sockets = []
        page.on("websocket", lambda socket: page.sockets.append(socket))
        page.goto(servers.url)
        page.locator("#source option", has_text="Headset").wait_for(state="attached")
        page.select_option("#source", label="Headset")
        page.click("#start")
        page.get_by_text("Listening", exact=True).wait_for()
        yield page


def test_another_microphone_is_chosen_within_the_same_session(
    dictating: Any, plugged: Microphones, said: tuple[Path, str]
) -> None:
    with plugged.speak("Headset", said[0]):
        pass  # until it has ended
    dictating.select_option("#source", label="Desk")
    dictating.get_by_text("Listening", exact=True).wait_for()
    with plugged.speak("Desk", said[0]):
        pass
    stop(dictating)
    assert len(dictating.sockets) == 1
    words = 2 * said[1].split()
    assert compare(" ".join(words), text_of(dictating)).total <= 0.15 * len(words)


def test_stop_is_pressed_as_soon_as_the_last_word_is_said_and_it_stands_there(
    dictating: Any, plugged: Microphones, speech: Any, tmp_path: Path
) -> None:
    path = tmp_path / "speech.wav"
    sound = speech.load(speech.clips("ls-dev")[0])
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    write_microphone(path, sound[: loud[-1]], after=0)
    with plugged.speak("Headset", path):
        pass
    stop(dictating)
    assert text_of(dictating).rstrip(".").endswith("on the left")


def test_a_microphone_that_is_pulled_out_is_followed_by_one_that_is_left_or_comes(
    dictating: Any, plugged: Microphones, said: tuple[Path, str]
) -> None:
    with plugged.speak("Headset", said[0]):
        wait_for_words(dictating, 3)
    plugged.unplug("Headset")
    dictating.get_by_text("“Headset” was disconnected. Now listening to “").wait_for()
    plugged.unplug("Desk")
    dictating.get_by_text("Plug it in again or choose another source").wait_for()
    dictating.get_by_text("No microphone", exact=True).wait_for()
    plugged.plug("Lectern")
    dictating.get_by_text("was disconnected. Now listening to “").wait_for()
    with plugged.speak("Lectern", said[0]):
        dictating.locator("#notice:empty").wait_for(state="attached")
    stop(dictating)
    assert len(dictating.sockets) == 1
    words = 2 * said[1].split()
    assert compare(" ".join(words), text_of(dictating)).total <= 0.15 * len(words)


LOCKS = """
{
  const { wakeLock } = navigator;
  const request = wakeLock.request.bind(wakeLock);
  globalThis.locks = [];
  wakeLock.request = async (kind) => {
    const lock = await request(kind);
    locks.push(lock);
    return lock;
  };
}
"""


def test_the_screen_stays_on_while_somebody_speaks_and_sees_the_page(
    servers: Servers, tmp_path: Path
) -> None:
    held = "locks.map((lock) => !lock.released)"
    status = "document.getElementById('status')?.textContent"
    press = "document.getElementById('start').click()"
    with chromium_tabs(tmp_path) as tabs:
        page, name = tabs.open(servers.url)
        page.wait_for("document.getElementById('source')?.options.length > 0", True)
        page.evaluate(f"(() => {LOCKS})()")
        page.evaluate(press)
        page.wait_for(status, "Listening")
        page.wait_for(held, [True])
        _, other = tabs.open("about:blank")
        page.wait_for(held, [False])
        tabs.show(name)
        page.wait_for(held, [False, True])
        page.evaluate(press)
        page.wait_for(status, "Ready")
        page.wait_for(held, [False, False])
        tabs.show(other)
        page.wait_for("document.visibilityState", "hidden")
        tabs.show(name)
        page.wait_for("document.visibilityState", "visible")
        assert page.evaluate(held) == [False, False]
