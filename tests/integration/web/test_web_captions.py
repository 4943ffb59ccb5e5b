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

from tests.support.browser import Servers, browsing, serving, write_microphone
from tests.support.captions_page import LISTEN_UNTIL_QUIET, stop, text_of, wait_for_words
from tests.support.transcripts import compare, repeats

INSECURE = "http://captions.test"  # a name that a browser does not trust
PHONE = {"width": 360, "height": 740}
SCREENS = [(320, 568), (360, 740), (640, 320)]  # the last is a phone on its side
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
    with serving(tiny_en_path) as servers:
        servers.prepare()
        yield servers


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
    assert len(partials) > 1  # fewer where the machine is behind
    assert seen[-1][2] == ""
    became = [partial for partial in partials if partial in committed[-1]]
    assert len(became) >= len(partials) / 2


def test_the_text_is_copied_and_saved(spoken: Any) -> None:
    spoken.click("#copy")
    spoken.get_by_role("button", name="Copied").wait_for()
    copied = spoken.evaluate("navigator.clipboard.readText()")
    assert " ".join(copied.split()) == text_of(spoken)
    beginnings = {
        "txt": "He began",
        "srt": "1\n00:00:0",
        "vtt": "WEBVTT\n\n00:",
        "json": '{\n  "text": "He began',
    }
    for kind, beginning in beginnings.items():
        spoken.click("#download summary")
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
    page.get_by_text("Connection lost; reconnecting").wait_for()
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
    page.get_by_text("Microphone access is blocked. Click the icon").wait_for()
    assert page.get_by_role("button", name="Start", exact=True).is_enabled()
    assert faults(page) == []
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
    page.get_by_role("heading", name="No microphone available").wait_for()
    notice = page.inner_text("#notice")
    assert "--tls self-signed" in notice
    assert "http://localhost" in notice
    assert page.locator("#start").is_disabled()
    assert faults(page) == []


def focused(page: Any) -> str:
    """The control that has the focus, which is to be seen."""
    name, style, width = page.evaluate("""() => {
      const { id, tagName } = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return [id || tagName, outlineStyle, parseFloat(outlineWidth)];
    }""")
    assert (style, width >= 2) == ("solid", True), name
    found: str = name
    return found


def test_what_is_done_with_the_text_is_reached_by_the_keyboard(spoken: Any) -> None:
    spoken.focus("#source")
    for control in ("copy", "SUMMARY", "share-button", "SUMMARY"):
        spoken.keyboard.press("Tab")
        assert focused(spoken) == control
    spoken.focus("#download summary")
    spoken.keyboard.press("Enter")
    for control in ("txt", "srt", "vtt", "json"):
        spoken.keyboard.press("Tab")
        assert focused(spoken) == control
    spoken.keyboard.press("Escape")
    assert focused(spoken) == "SUMMARY"
    assert not spoken.locator("#txt").is_visible()


def test_everything_is_reached_by_the_keyboard(open_page: Any) -> None:
    page = open_page()
    for control in ("smaller", "larger", "contrast", "start", "sample", "file", "tab", "source"):
        page.keyboard.press("Tab")
        assert focused(page) == control
    page.focus("#share-button")
    page.keyboard.press("Enter")
    page.locator("#share").wait_for()
    assert focused(page) == "room"
    page.keyboard.press("Escape")
    page.locator("#share").wait_for(state="hidden")
    assert focused(page) == "share-button"
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


@pytest.mark.parametrize(("width", "height"), SCREENS)
@pytest.mark.parametrize("path", ["", "?watch=stage"])
def test_a_small_screen_shows_all_of_it_without_scrolling_sideways(
    open_page: Any, path: str, width: int, height: int
) -> None:
    page = open_page(path, viewport={"width": width, "height": height})
    if not path:
        page.click("#share-button")
        page.fill("#room", "a-name-of-a-room-that-is-as-long-as-names-of-rooms-may-become-64")
        assert page.locator("#share").bounding_box()["width"] <= width
        page.keyboard.press("Escape")
        page.click("#more summary")
    page.evaluate("""() => {
      const word = Object.assign(document.createElement("p"), { textContent: "m".repeat(99) });
      document.getElementById("captions").append(word);
      document.getElementById("notice").textContent = "Something is to be said. ".repeat(4);
    }""")
    for _ in range(10):
        page.click("#larger")
    widths = page.evaluate("""() => [...document.querySelectorAll("html, body, body *")]
      .filter((e) => !e.closest("[hidden], option, svg") && e.getClientRects().length > 0)
      .map((e) => [e.id || e.tagName, e.getBoundingClientRect().right])""")
    assert [name for name, right in widths if right > width + 0.5] == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    if path:
        assert page.locator("#captions").bounding_box()["height"] >= 80
    page.keyboard.press("Escape")
    controls = page.locator("button:visible, select:visible, input:visible, summary:visible")
    for control in controls.all():
        control.click(trial=True, force=control.is_disabled())


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
def test_axe_finds_no_serious_fault_before_while_and_after_somebody_speaks(
    open_page: Any, scheme: str, contrast: bool
) -> None:
    page = open_page(
        "?language=de",
        color_scheme=scheme,
        viewport=PHONE if contrast else None,
        contrast="more" if contrast else "no-preference",
    )
    assert page.get_attribute("#contrast", "aria-pressed") == str(contrast).lower()
    page.click("#more summary")
    assert faults(page) == []
    page.click("#share-button")
    page.fill("#room", f"stage-{scheme}-{contrast}")
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.click("#start")
    page.locator("#captions p").first.wait_for()
    page.evaluate("""() => {
      document.querySelector(".partial").textContent = " and what may change";
      document.getElementById("notice").textContent = "Something is to be said.";
    }""")
    assert faults(page) == []
    stop(page)
    assert faults(page) == []


def test_the_system_s_colours_tell_what_stands_what_may_change_and_what_is_pressed(
    open_page: Any,
) -> None:
    page = open_page(forced_colors="active")
    page.click("#contrast")
    look = """(names) => names.map((name) => {
      const { color, fontStyle, backgroundColor } = getComputedStyle(document.querySelector(name));
      return [color, fontStyle, backgroundColor];
    })"""
    page.click("#start")
    page.locator(".committed").first.wait_for()
    stands, changes = page.evaluate(look, [".committed", ".partial"])
    assert stands[:2] != changes[:2]
    assert (stands[1], changes[1]) == ("normal", "italic")
    pressed, other = page.evaluate(look, ["#contrast", "#larger"])
    assert pressed[2] != other[2]


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
    for control in ("#start", "#source", "#more", "#share-button", "#level"):
        assert not page.locator(control).is_visible()
    for control in ("#larger", "#copy", "#download"):
        assert page.locator(control).is_visible()


def test_an_overlay_is_text_alone_over_nothing(open_page: Any) -> None:
    page = open_page("?overlay=1&size=40")
    page.get_by_role("button", name="Listen", exact=True).click()
    page.locator(".committed").first.wait_for()
    shown = page.evaluate("""() => [...document.querySelectorAll("body *")]
      .filter((e) => e.checkVisibility() && e.getClientRects().length > 0)
      .map((e) => e.id || e.className || e.tagName)""")
    assert set(shown) <= {"MAIN", "captions", "P", "committed", "word", "partial"}
    styles = page.evaluate("""() => {
      const style = (name) => getComputedStyle(document.querySelector(name));
      return [style("html").backgroundColor, style("body").backgroundColor,
        style("#captions").fontSize];
    }""")
    assert styles == ["rgba(0, 0, 0, 0)", "rgba(0, 0, 0, 0)", "40px"]
    box = page.locator("#captions").bounding_box()
    assert box["height"] <= 3 * 1.75 * 40 + 1
    assert faults(page) == []


@pytest.fixture
def visitor(browser: Any, servers: Servers) -> Iterator[Any]:
    """A page of another site, whose browser grants this server the microphone."""
    context = browser.new_context(permissions=["microphone"])
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())  # it may be left while somebody speaks
    yield page
    context.close()


def elsewhere(page: Any, servers: Servers, body: str) -> str:
    """The address of a page of another site."""
    address = servers.url.replace("127.0.0.1", "localhost") + "elsewhere"
    page.route(address, lambda route: route.fulfill(content_type="text/html", body=body))
    return address


def test_a_link_neither_listens_nor_publishes_without_a_click(
    visitor: Any, servers: Servers
) -> None:
    address = f"{servers.url}?overlay=1&publish=stage"
    other = elsewhere(visitor, servers, f'<a rel="noreferrer" href="{address}">Watch this</a>')
    button = visitor.get_by_role("button", name="Listen, and share as “stage”", exact=True)

    def sessions() -> float:
        metrics = visitor.request.get(f"{servers.url}metrics").text()
        return sum(map(float, re.findall(r"_connections_total{.*} (.*)", metrics)))

    def follow_link() -> None:
        before = sessions()
        visitor.goto(other)
        visitor.click("a")
        button.wait_for()
        visitor.wait_for_timeout(500)
        assert sessions() == before

    def listens() -> None:
        visitor.wait_for_selector(":root[data-running]", state="attached")

    follow_link()
    button.click()
    listens()
    visitor.goto(address)  # typed, or a browser source of OBS: once allowed, it starts by itself
    listens()
    follow_link()  # but another site cannot start it


def test_no_page_shows_the_captions_page_in_a_frame(visitor: Any, servers: Servers) -> None:
    visitor.goto(elsewhere(visitor, servers, f'<iframe src="{servers.url}?overlay=1"></iframe>'))
    visitor.wait_for_timeout(500)
    assert visitor.frames[1].locator("#captions").count() == 0
    headers = visitor.request.get(servers.url, headers={"Accept": "text/html"}).headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_who_comes_late_reads_along_from_the_first_word(open_page: Any) -> None:
    pytest.importorskip("streamwhisper.server.publishing.rooms", reason="this server has no rooms")
    speaker = open_page("?publish=late")
    speaker.click("#start")
    wait_for_words(speaker, 6)
    viewer = open_page("watch/late")
    viewer.get_by_text("Live", exact=True).wait_for()
    wait_for_words(viewer, 6)
    assert text_of(viewer).startswith("He began a confused complaint")
    stop(speaker)
    viewer.get_by_text("The session has ended").first.wait_for()
    assert text_of(viewer) == text_of(speaker)
    assert viewer.inner_text("#notice") == ""
