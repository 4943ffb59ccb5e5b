"""Record the captions page while a voice speaks into its microphone.

    python docs/images/make_captions.py [SPEECH] [--model tiny.en]

Writes captions.webp (animated), captions-start.png, captions-dark.png, captions-phone.png and
captions-overlay.png.
A real server, a real Chromium and a microphone without hardware; `tests/support/browsers.sh`
installs the last two. SPEECH is any audio file; the default is examples/sample.flac.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamwhisper.audio.files import read_audio, write_wav
from tests.support.microphones import Microphones, microphones

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAME = "Microphone"  # what the page's list of sources shows
INTERVAL = 0.2  # seconds between frames, at least
END = 2.5  # seconds that the last frame stays
SIZE = ViewportSize(width=840, height=420)
BACKDROP = "linear-gradient(160deg, #2b4a6f, #7a5c61 60%, #c98d5e)"  # for the overlay: a stage
STILLS: dict[str, dict[str, Any]] = {
    "start": {"viewport": {"width": 840, "height": 560}},
    "dark": {"viewport": {"width": 840, "height": 420}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 640}},
    "overlay": {"viewport": {"width": 840, "height": 320}},
}


@dataclass(frozen=True)
class Frame:
    """What the page showed, as a PNG, and since when, in seconds."""

    at: float
    picture: bytes


@contextmanager
def server(model: str) -> Iterator[str]:
    """Run `streamwhisper serve` on a free port; yield the address of its page."""
    command = [sys.executable, "-m", "streamwhisper", "serve", "--model", model, "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            words = (word for line in process.stdout for word in line.split())
            address = next(word for word in words if word.startswith("ws://"))
            yield f"http://{address.split('/')[2]}/"
        finally:
            process.terminate()


def start(page: Page, url: str, microphone: Microphones) -> None:
    """Open the page and start listening."""
    page.goto(url)
    page.locator("#source option", has_text=NAME).first.wait_for(state="attached")
    on_a_phone = page.locator("#settings-button").is_visible()
    if on_a_phone:
        page.click("#settings-button")
    page.select_option("#source", label=NAME)
    if on_a_phone:
        page.click("#settings-button")
    page.click("#start")
    microphone.await_listener()
    page.wait_for_timeout(1500)


def record(page: Page, microphone: Microphones, speech: Path) -> list[Frame]:
    """Play the speech; return what the page shows, at most one frame per interval."""
    frames: dict[int, Frame] = {}
    channel = page.context.new_cdp_session(page)

    def keep(event: dict[str, Any]) -> None:
        at = event["metadata"]["timestamp"] - began
        frames[int(at / INTERVAL)] = Frame(at, base64.b64decode(event["data"]))
        channel.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    began = time.time()
    channel.on("Page.screencastFrame", keep)
    channel.send("Page.startScreencast", {"format": "png"})
    with microphone.speak(NAME, speech) as playing:
        while playing.poll() is None:
            page.wait_for_timeout(50)
    page.wait_for_timeout(2000)  # the end of the utterance
    page.wait_for_function("!document.querySelector('.partial')?.textContent")
    page.wait_for_timeout(500)
    channel.send("Page.stopScreencast")
    return sorted(frames.values(), key=lambda frame: frame.at)


def save(frames: list[Frame], path: Path) -> None:
    """Write an animated WebP that repeats forever."""
    first, *others = (Image.open(io.BytesIO(frame.picture)).convert("RGB") for frame in frames)
    seconds = [*np.diff([frame.at for frame in frames]), END]
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=[round(1000 * length) for length in seconds],
        loop=0,
        lossless=True,
        method=6,
        minimize_size=True,
    )


def photograph(
    browser: Browser, url: str, name: str, microphone: Microphones, speech: Path
) -> None:
    """Take one still in the middle of the speech."""
    with browser.new_context(permissions=["microphone"], **STILLS[name]) as context:
        page = context.new_page()
        if name == "start":
            page.goto(url)
            page.locator("#source option", has_text=NAME).first.wait_for(state="attached")
            page.screenshot(path=HERE / "captions-start.png")
            return
        if name == "overlay":
            page.goto(f"{url}?overlay=1")
            page.get_by_role("button", name="Listen", exact=True).click()
            page.evaluate(
                "value => document.documentElement.style.setProperty('background', value)", BACKDROP
            )
            microphone.await_listener()
            page.wait_for_timeout(1500)
        else:
            start(page, url, microphone)
        with microphone.speak(NAME, speech) as playing:
            page.wait_for_timeout(8700)
            page.screenshot(path=HERE / f"captions-{name}.png")
            playing.terminate()


def main() -> None:
    """Record and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("speech", nargs="?", type=Path, default=ROOT / "examples/sample.flac")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--seconds", type=float, default=15, help="of the speech")
    parser.add_argument("--only", choices=["animation", *STILLS], help="make one picture")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, microphones(Path(folder)) as microphone:
        speech = Path(folder) / "speech.wav"
        write_wav(speech, read_audio(chosen.speech)[: int(chosen.seconds * 16000)])
        microphone.plug(NAME)
        with server(chosen.model) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                chromium_sandbox=False,
                args=["--use-fake-ui-for-media-stream", "--disable-background-networking"],
                env={**microphone.environment, "PULSE_SOURCE": NAME},
            )
            if chosen.only in (None, "animation"):
                with browser.new_context(permissions=["microphone"], viewport=SIZE) as context:
                    page = context.new_page()
                    start(page, url, microphone)
                    save(record(page, microphone, speech), HERE / "captions.webp")
            for name in STILLS:
                if chosen.only in (None, name):
                    photograph(browser, url, name, microphone, speech)
            browser.close()
    for path in sorted(HERE.glob("captions*")):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
