"""Sharing in a real browser: the dialog, readers, and the overlay, with real speech."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import browsing, write_microphone
from tests.support.captions_page import stop, text_of, wait_for_words
from tests.support.serve_command import running

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def server(tiny_en_path: Path) -> Iterator[str]:
    """The address of the page of a server that listens in the whole network."""
    with running("--model", str(tiny_en_path), "--host", "0.0.0.0") as (_, url):
        yield f"http://127.0.0.1:{url.split(':')[2].split('/')[0]}/"


@pytest.fixture(scope="module")
def browser(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    write_microphone(path, speech.load(speech.clips("ls-dev")[0]), after=30)
    with browsing(path) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Any, server: str) -> Iterator[Callable[..., Any]]:
    """Opens a page in a context of its own, in which the microphone is allowed."""
    contexts = []

    def open_page(path: str = "", *, script: str = "", **options: Any) -> Any:
        permissions = ["microphone", "clipboard-read", "clipboard-write"]
        context = browser.new_context(permissions=permissions, **options)
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.warnings = []
        page.faults = []
        page.on("console", lambda m: m.type == "warning" and page.warnings.append(m.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(server + path)
        return page

    yield open_page
    for context in contexts:
        faults = [fault for page in context.pages for fault in page.faults]
        context.close()
        assert faults == []


def axe(page: Any) -> list[str]:
    """What axe-core finds that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [fault["id"] for fault in violations if fault["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE, "color_scheme": "dark"}])
def test_the_dialog_shows_a_link_and_its_qr_code(
    open_page: Callable[..., Any], options: dict[str, Any]
) -> None:
    page = open_page(**options)
    page.click("#share-button")
    assert not page.locator("#share-link").is_visible()
    page.fill("#room", "town hall")
    page.locator("#share-qr").wait_for()
    link = page.get_attribute("#share-address", "href")
    assert link.endswith("/watch/town-hall")
    assert page.get_attribute("#share-qr", "alt").endswith(link)
    assert page.evaluate("document.getElementById('share-qr').naturalWidth") > 0
    assert page.get_attribute("#overlay", "href") == f"{link}?overlay=1"
    assert page.get_attribute("#overlay", "target") == "_blank"
    assert axe(page) == []
    page.focus("#share-copy")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Link copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == link
    # For phones, unless this machine has no address in a network.
    local = "//127.0.0.1" in link
    assert page.locator("#share-warning").is_visible() == local
    page.fill("#room", "town hall!")
    page.get_by_text("cannot be a name").wait_for()
    assert not page.locator("#share-link").is_visible()


def test_readers_see_waiting_live_and_ended_and_the_speaker_sees_how_many_they_are(
    open_page: Callable[..., Any],
) -> None:
    early = open_page("watch/hall", viewport=PHONE)
    early.get_by_text("Waiting for hall to start").first.wait_for()
    assert axe(early) == []
    speaker = open_page("?publish=hall")
    speaker.click("#start")
    speaker.get_by_text("Shared as hall").wait_for()
    speaker.get_by_text("1 reader", exact=True).wait_for()
    early.get_by_text("Live", exact=True).wait_for()
    late = open_page("watch/hall", color_scheme="dark")
    speaker.get_by_text("2 readers").wait_for()
    wait_for_words(speaker, 6)
    wait_for_words(late, 6)
    assert late.inner_text("#sharing-name") == "hall"
    for page in (speaker, early, late):
        assert axe(page) == []
    late.context.close()
    speaker.get_by_text("1 reader", exact=True).wait_for()
    speaker.click("#sharing-copy")
    assert speaker.evaluate("navigator.clipboard.readText()").endswith("/watch/hall")
    stop(speaker)
    early.get_by_text("The session has ended").first.wait_for()
    assert text_of(early) == text_of(speaker)
    assert not speaker.locator("#sharing").is_visible()
    assert axe(early) == []
    again = open_page("watch/hall")
    again.get_by_text("Waiting for hall to start").first.wait_for()


def test_the_stop_button_of_a_phone_is_whole_while_captions_are_shared(
    open_page: Callable[..., Any],
) -> None:
    page = open_page("?publish=phone", viewport=PHONE)
    page.click("#start")
    page.get_by_text("Shared as phone").wait_for()
    wide, needed = page.evaluate("""() => {
      const { offsetWidth, scrollWidth } = document.getElementById("start");
      return [offsetWidth, scrollWidth];
    }""")
    assert wide >= needed
    assert wide > 80
    stop(page)


def test_readers_choose_the_size_of_their_text(open_page: Callable[..., Any]) -> None:
    page, other = open_page("watch/hall"), open_page("watch/hall")
    size = "parseFloat(getComputedStyle(document.getElementById('captions')).fontSize)"
    page.click("#larger")
    assert page.evaluate(size) > other.evaluate(size)


def test_a_viewer_without_a_name_is_asked_for_it(open_page: Callable[..., Any]) -> None:
    page = open_page("watch/")
    assert page.url.endswith("/watch")
    assert axe(page) == []
    page.fill("#name", "town hall!")
    page.keyboard.press("Enter")
    page.get_by_text("“town-hall!” cannot be a name").wait_for()
    page.fill("#name", "town hall")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"\?watch=town-hall$"))


def test_an_address_that_does_not_exist_is_a_page_that_leads_on(
    open_page: Callable[..., Any],
) -> None:
    page = open_page("nothing/here", color_scheme="dark")
    assert "/nothing/here" in page.inner_text("main")
    assert axe(page) == []
    page.get_by_role("link", name="Read along with a speaker").click()
    page.get_by_text("Name of the session").wait_for()


LOOK = """async (queries) => {
  const { look } = await import("/overlay-look.js");
  const isColor = (color) => CSS.supports("color", color);
  return queries.map((query) => look(new URLSearchParams(query), isColor));
}"""


def test_the_overlay_s_parameters_are_checked(open_page: Callable[..., Any]) -> None:
    page = open_page("watch")
    plain, dressed, wrong = page.evaluate(
        LOOK,
        [
            "",
            "lines=2&hide=0&font=Georgia, serif&color=ffcc00&bg=rgb(0 0 0 / 60%25)&align=left",
            "lines=99&hide=&font=url(x)&color=notacolor&bg=;}&align=top&size=1",
        ],
    )
    assert (plain["hide"], plain["wrong"]) == (10, [])
    assert plain["style"] == {"--lines": "3", "--before": "auto", "--after": "auto"}
    assert (dressed["hide"], dressed["wrong"]) == (0, [])
    assert dressed["style"] == {
        "--lines": "2",
        "--overlay-color": "#ffcc00",
        "--overlay-bg": "rgb(0 0 0 / 60%)",
        "--overlay-font": "Georgia, serif",
        "--before": "0",
        "--after": "auto",
    }
    assert wrong["style"] == plain["style"]
    names = ["lines", "hide", "size", "color", "bg", "font", "align"]
    assert [fault.partition("=")[0] for fault in wrong["wrong"]] == names


def test_the_overlay_is_transparent_until_the_first_word_and_after_silence(
    open_page: Callable[..., Any],
) -> None:
    overlay = open_page("watch/stage?overlay=1&hide=2&lines=2&color=ffcc00&align=up")
    assert [text for text in overlay.warnings if "align=up" in text] == overlay.warnings[:1]
    blank = overlay.screenshot(omit_background=True)
    boxes = (
        "[...document.querySelectorAll('#captions p')].filter((p) => p.checkVisibility()).length"
    )
    assert overlay.evaluate(boxes) == 0
    speaker = open_page("?publish=stage")
    speaker.click("#start")
    overlay.locator("#captions p").first.wait_for()
    colour, seams = overlay.evaluate("""() => {
      const lines = [...document.querySelector("#captions p").getClientRects()];
      const seams = lines.slice(1).filter((line, k) => line.top < lines[k].bottom);
      return [getComputedStyle(document.querySelector("#captions p")).color, seams.length];
    }""")
    assert (colour, seams) == ("rgb(255, 204, 0)", 0)
    overlay.evaluate(f"""async () => {{
      while ({boxes} > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }}""")  # after two seconds of silence
    assert overlay.screenshot(omit_background=True) == blank
    assert text_of(speaker) != ""
    stop(speaker)


def test_the_overlay_shows_no_error_over_a_video(open_page: Callable[..., Any]) -> None:
    mixer = "globalThis.obsstudio = {}"
    for path in ("watch/a b?overlay=1", "?overlay=1&publish=a b!"):
        page = open_page(path, script=mixer)
        page.evaluate("""() => {
          document.getElementById("notice").textContent = "Something is wrong.";
        }""")
        assert not page.locator("#notice").is_visible()
        page.wait_for_timeout(100)
        assert "Something is wrong." in page.warnings
