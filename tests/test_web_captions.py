"""The captions page in a real browser: a microphone that plays real speech, and a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Servers, browsing, write_microphone
from test_kill import compare, repeats

INSECURE = "http://captions.test"  # a name that a browser does not trust
PHONE = {"width": 360, "height": 740}
RECORD = """
window.seen = [];
addEventListener("DOMContentLoaded", () => {
  const [captions, status] = ["captions", "status"].map((id) => document.getElementById(id));
  const text = (name) => [...captions.querySelectorAll(name)].map((e) => e.textContent).join("");
  const look = () => seen.push([status.textContent, text(".committed"), text(".partial")]);
  const watcher = new MutationObserver(look);
  for (const element of [captions, status]) {
    watcher.observe(element, { childList: true, subtree: true, characterData: true });
  }
});
"""
Seen = list[tuple[str, str, str]]  # each time: the status, the committed text and the partial


@pytest.fixture(scope="module")
def servers(tiny_en_path: Path) -> Iterator[Servers]:
    servers = Servers(tiny_en_path)
    try:
        servers.load()
        servers.serve()
        servers.prepare()
        yield servers
    finally:
        servers.close()


@pytest.fixture(scope="module")
def said(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What the microphone plays: where it lies, and its text."""
    clips = speech.clips("ls-dev")[:3]
    pause = np.zeros(4800, np.float32)
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    sound = [part for clip in clips for part in (speech.load(clip), pause)]
    write_microphone(path, np.concatenate(sound))
    return path, " ".join(clip["text"] for clip in clips)


@pytest.fixture(scope="module")
def browser(said: tuple[Path, str]) -> Iterator[Any]:
    with browsing(said[0]) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Any, servers: Servers) -> Iterator[Any]:
    """Opens the page in a context of its own, in which the microphone is allowed."""
    contexts = []

    def open_page(path: str = "", *, allowed: bool = True, **options: Any) -> Any:
        context = browser.new_context(
            permissions=["microphone", "clipboard-read", "clipboard-write"] if allowed else [],
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.add_init_script(RECORD)
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(servers.url + path)
        return page

    yield open_page
    for context in contexts:
        faults = [fault for page in context.pages for fault in page.faults]
        context.close()
        assert faults == []


def text_of(page: Any) -> str:
    return " ".join(page.inner_text("#captions").split())


def wait_for_words(page: Any, count: int) -> None:
    """Until so many words are committed."""
    page.locator(".committed").filter(has_text=re.compile(r"\w+")).first.wait_for()
    page.evaluate(
        """async (count) => {
      const committed = () => [...document.querySelectorAll(".committed")]
        .map((e) => e.textContent).join("").split(/\\s+/).filter(Boolean).length;
      while (committed() < count) await new Promise((resolve) => setTimeout(resolve, 20));
    }""",
        count,
    )


def stop(page: Any) -> None:
    page.click("#start")
    page.get_by_role("button", name="Start", exact=True).wait_for()


LISTEN_UNTIL_QUIET = """
async () => {
  const { seen } = window;
  const quiet = () => document.querySelector(".partial")?.textContent === "";
  for (let last = -1, rest = 0; rest < 15; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const length = document.getElementById("captions").textContent.length;
    rest = length === last && length > 0 && quiet() && listening() ? rest + 1 : 0;
    last = length;
  }
  function listening() {
    return document.getElementById("level").ariaValueNow < 20;
  }
}
"""


@pytest.fixture(scope="module")
def spoken(browser: Any, servers: Servers) -> Iterator[Any]:
    """The page after the speech was heard from its beginning to its end."""
    context = browser.new_context(
        permissions=["microphone", "clipboard-read", "clipboard-write"], accept_downloads=True
    )
    page = context.new_page()
    page.add_init_script(RECORD)
    page.goto(servers.url)
    page.click("#start")
    page.evaluate(LISTEN_UNTIL_QUIET)
    stop(page)
    yield page
    context.close()


def test_what_is_said_stands_on_the_page(spoken: Any, said: tuple[Path, str]) -> None:
    text = text_of(spoken)
    assert text.startswith("He began a confused complaint")
    assert compare(said[1], text).total <= 0.15 * len(said[1].split()), text
    assert repeats(text) == []


def test_partials_are_replaced_and_become_committed_text_that_never_changes(spoken: Any) -> None:
    seen: Seen = spoken.evaluate("seen")
    committed = [text for _, text, _ in seen]
    for before, after in pairwise(committed):
        assert after.startswith(before)
    partials = {partial.strip() for _, _, partial in seen} - {""}
    assert len(partials) > 3
    assert seen[-1][2] == ""
    became = [partial for partial in partials if partial in committed[-1]]
    assert len(became) >= len(partials) / 2


def test_the_text_is_copied_and_saved(spoken: Any) -> None:
    spoken.click("#copy")
    spoken.get_by_role("button", name="Copied").wait_for()
    copied = spoken.evaluate("navigator.clipboard.readText()")
    assert " ".join(copied.split()) == text_of(spoken)
    for kind, beginning in (("txt", "He began"), ("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n00:")):
        with spoken.expect_download() as download:
            spoken.click(f"#{kind}")
        path = Path(download.value.path())
        assert download.value.suggested_filename.endswith(f".{kind}")
        assert path.read_text().startswith(beginning)


def test_a_server_killed_in_mid_speech_costs_no_word_on_the_page(
    open_page: Any, servers: Servers, spoken: Any
) -> None:
    page = open_page()
    servers.load()
    page.click("#start")
    wait_for_words(page, 9)
    servers.end()
    page.get_by_text("Connection lost; coming back").wait_for()
    servers.serve()
    page.get_by_text("Listening", exact=True).wait_for()
    page.evaluate(LISTEN_UNTIL_QUIET)
    stop(page)
    changes = compare(text_of(spoken), text_of(page))
    # Speech that is heard anew from another moment on is heard otherwise here and there.
    assert changes.total <= 6, text_of(page)
    assert changes.insertions + changes.deletions <= 2, text_of(page)
    assert repeats(text_of(page)) == []


def test_a_microphone_that_is_refused_is_explained_and_may_be_tried_again(open_page: Any) -> None:
    page = open_page(allowed=False)
    page.click("#start")
    page.get_by_text("The microphone is not allowed here. Allow it").wait_for()
    assert page.get_by_role("button", name="Start", exact=True).is_enabled()
    page.context.grant_permissions(["microphone"])
    page.click("#start")
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    assert page.inner_text("#notice") == ""


def test_a_page_that_is_not_secure_says_what_to_do(open_page: Any, servers: Servers) -> None:
    page = open_page()

    def answer(route: Any) -> None:
        url = servers.url + urlsplit(route.request.url).path.lstrip("/")
        route.fulfill(response=route.fetch(url=url, headers={"Accept": "text/html"}))

    page.route(f"{INSECURE}/**", answer)
    page.goto(f"{INSECURE}/")
    page.get_by_text("https://captions.test/").wait_for()
    notice = page.inner_text("#notice")
    assert "--tls self-signed" in notice
    assert "http://localhost" in notice
    assert page.locator("#start").is_disabled()


def focused(page: Any) -> str:
    name: str = page.evaluate("document.activeElement.id || document.activeElement.tagName")
    return name


def test_everything_is_reached_by_the_keyboard(open_page: Any) -> None:
    page = open_page()
    for control in ("smaller", "larger", "contrast", "captions", "start", "source", "SUMMARY"):
        page.keyboard.press("Tab")
        assert focused(page) == control
    page.focus("summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "room"
    page.keyboard.press("Escape")
    assert focused(page) == "SUMMARY"
    assert not page.locator("#room").is_visible()
    page.focus("#start")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start", exact=True).wait_for()


def test_the_size_and_the_contrast_stay_from_one_visit_to_the_next(open_page: Any) -> None:
    page = open_page()
    size = "parseFloat(getComputedStyle(document.getElementById('captions')).fontSize)"
    before = page.evaluate(size)
    page.click("#larger")
    page.click("#larger")
    page.click("#contrast")
    after = page.evaluate(size)
    assert after > before
    page.reload()
    assert page.evaluate(size) == after
    assert page.get_attribute("#contrast", "aria-pressed") == "true"


@pytest.mark.parametrize("path", ["", "?watch=stage"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_page: Any, path: str) -> None:
    page = open_page(path, viewport=PHONE)
    if not path:
        page.click("summary")
        page.fill("#room", "a-name-of-a-room-that-is-as-long-as-names-of-rooms-may-become-64")
    page.evaluate("""() => {
      const word = Object.assign(document.createElement("p"), { textContent: "m".repeat(99) });
      document.getElementById("captions").append(word);
    }""")
    for _ in range(10):
        page.click("#larger")
    widths = page.evaluate("""() => [...document.querySelectorAll("html, body, body *")]
      .filter((e) => !e.closest("[hidden], option, svg") && e.getClientRects().length > 0)
      .map((e) => [e.id || e.tagName, e.getBoundingClientRect().right])""")
    assert [name for name, right in widths if right > PHONE["width"] + 0.5] == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]


def faults(page: Any) -> list[str]:
    """What axe-core finds that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in violations
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("contrast", [False, True])
def test_axe_finds_no_serious_fault(open_page: Any, scheme: str, contrast: bool) -> None:
    page = open_page("?language=de", color_scheme=scheme, viewport=PHONE if contrast else None)
    if contrast:
        page.click("#contrast")
    page.click("summary")
    page.fill("#room", f"stage-{scheme}-{contrast}")
    assert faults(page) == []
    page.click("#start")
    page.locator("#captions p").first.wait_for()
    page.evaluate("""() => {
      document.querySelector(".partial").textContent = " and what may change";
      document.getElementById("notice").textContent = "Something is to be said.";
    }""")
    assert faults(page) == []


@pytest.mark.parametrize("path", ["watch/stage", "?overlay=1&watch=stage"])
def test_axe_finds_no_serious_fault_where_others_are_watched(open_page: Any, path: str) -> None:
    page = open_page(path)
    assert page.locator("#captions").is_visible() or "overlay" in path
    assert not page.locator("#start").is_visible()
    assert faults(page) == []


def test_a_link_to_a_name_opens_the_page_that_reads_along(open_page: Any) -> None:
    page = open_page("watch/stage-1")
    assert urlsplit(page.url).query == "watch=stage-1"
    assert page.title() == "stage-1 · captions"
    for control in ("#start", "#source", "summary", "#level"):
        assert not page.locator(control).is_visible()
    for control in ("#larger", "#copy", "#srt"):
        assert page.locator(control).is_visible()


def test_an_overlay_is_text_alone_over_nothing(open_page: Any) -> None:
    page = open_page("?overlay=1&size=40")
    page.locator(".committed").first.wait_for()
    shown = page.evaluate("""() => [...document.querySelectorAll("body *")]
      .filter((e) => e.checkVisibility() && e.getClientRects().length > 0)
      .map((e) => e.id || e.className || e.tagName)""")
    assert set(shown) <= {"MAIN", "captions", "P", "committed", "partial"}
    styles = page.evaluate("""() => {
      const style = (name) => getComputedStyle(document.querySelector(name));
      return [style("html").backgroundColor, style("body").backgroundColor,
        style("#captions").fontSize];
    }""")
    assert styles == ["rgba(0, 0, 0, 0)", "rgba(0, 0, 0, 0)", "40px"]
    box = page.locator("#captions").bounding_box()
    assert box["height"] <= 3 * 1.5 * 40 + 1


def test_who_comes_late_reads_along_from_the_first_word(open_page: Any) -> None:
    pytest.importorskip("streamwhisper.server.rooms", reason="this server has no rooms")
    speaker = open_page("?publish=late")
    speaker.click("#start")
    wait_for_words(speaker, 6)
    viewer = open_page("watch/late")
    viewer.get_by_text("Reading along").wait_for()
    wait_for_words(viewer, 6)
    assert text_of(viewer).startswith("He began a confused complaint")
    stop(speaker)
    viewer.get_by_text("Nobody speaks here").wait_for()
    assert text_of(viewer) == text_of(speaker)
    assert viewer.inner_text("#notice") == ""
