"""The captions page beyond the microphone: the sample, files, kept transcripts, words and code."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import Servers, browsing, serving, write_microphone
from tests.support.captions_page import text_of, wait_for_words
from tests.support.paths import ROOT
from tests.support.transcripts import compare

SAID = (ROOT / "examples" / "sample.txt").read_text()
FLOATING = "'documentPictureInPicture' in globalThis"


@pytest.fixture(scope="module")
def servers(tiny_en_path: Path) -> Iterator[Servers]:
    with serving(tiny_en_path) as servers:
        servers.prepare()
        yield servers


@pytest.fixture(scope="module")
def browser(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    write_microphone(path, speech.load(speech.clips("ls-dev")[0]))
    with browsing(path) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Any, servers: Servers) -> Iterator[Any]:
    """Opens the page in a context of its own, in which the microphone is allowed."""
    contexts = []

    def open_page(path: str = "", *, script: str = "", **options: Any) -> Any:
        context = browser.new_context(permissions=["microphone"], **options)
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(servers.url + path)
        return page

    yield open_page
    for context in contexts:
        faults = [fault for page in context.pages for fault in getattr(page, "faults", [])]
        context.close()
        assert faults == []


def caption_file(page: Any, path: Path = ROOT / "examples" / "sample.flac") -> None:
    """Until the file is captioned to its end."""
    page.set_input_files("#file-input", path)
    page.locator(".committed").first.wait_for()
    page.wait_for_selector(":root:not([data-running])", state="attached")


def words_close_to_sample(text: str) -> bool:
    return compare(SAID, text).total <= 0.15 * len(SAID.split())


def test_the_sample_is_played_and_captioned_without_a_microphone(open_page: Any) -> None:
    page = open_page(
        script="""
        navigator.mediaDevices.getUserMedia = () => { throw new Error("not needed"); };
        globalThis.played = 0;
        const start = AudioBufferSourceNode.prototype.start;
        AudioBufferSourceNode.prototype.start = function () {
          played = this.buffer.duration;
          return start.call(this);
        };"""
    )
    page.click("#sample")
    wait_for_words(page, 3)
    page.get_by_text("Captioning", exact=True).wait_for()
    page.wait_for_selector(":root:not([data-running])", state="attached")
    assert page.evaluate("played") > 20
    assert words_close_to_sample(text_of(page))


def test_a_file_is_captioned_and_its_progress_is_shown(open_page: Any) -> None:
    page = open_page(
        script="""
        globalThis.shares = [];
        addEventListener("DOMContentLoaded", () => {
          const bar = document.getElementById("file-bar");
          const note = () => shares.push(Math.round(1e4 * bar.value) / 1e4);
          new MutationObserver(note).observe(bar, { attributes: true });
        });"""
    )
    caption_file(page)
    assert words_close_to_sample(text_of(page))
    shares = page.evaluate("shares")
    assert shares == sorted(shares)
    assert 0 < max(shares) <= 1
    assert not page.locator("#file-progress").is_visible()


def test_a_dropped_file_is_captioned_from_zero_and_the_text_before_can_be_brought_back(
    open_page: Any,
) -> None:
    page = open_page()
    caption_file(page)
    before = text_of(page)
    sound = base64.b64encode((ROOT / "examples" / "sample.flac").read_bytes()).decode()
    page.evaluate(
        """(sound) => {
          const bytes = Uint8Array.from(atob(sound), (sign) => sign.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "talk.flac"));
          dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
        }""",
        sound,
    )
    page.get_by_text("The text was cleared.").wait_for()
    page.locator(".committed").first.wait_for()
    page.wait_for_selector(":root:not([data-running])", state="attached")
    assert float(page.locator(".word").first.get_attribute("data-start")) < 2
    page.get_by_role("button", name="Undo").click()
    assert text_of(page).startswith(before)


def test_a_file_that_no_browser_decodes_is_named_with_a_remedy(open_page: Any) -> None:
    page = open_page()
    page.set_input_files("#file-input", ROOT / "README.md")
    page.get_by_text("This browser cannot decode “README.md”. Convert it").wait_for()
    assert page.locator("#hero").is_visible()


def test_a_transcript_is_there_after_a_reload_and_can_be_deleted(open_page: Any) -> None:
    page = open_page()
    caption_file(page)
    text = text_of(page)
    page.wait_for_timeout(1500)
    page.reload()
    page.get_by_role("button", name="Recent transcripts (1)").click()
    page.get_by_role("button", name="Open:").click()
    assert text_of(page) == text
    page.click("#more summary")
    page.click("#history-button")
    page.get_by_role("button", name="Delete:").click()
    page.get_by_text("There are none yet.").wait_for()


def test_only_text_that_would_be_lost_holds_the_page_open(open_page: Any) -> None:
    page = open_page(script="localStorage.setItem('captions.keep', 'no')")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    caption_file(page)
    page.click("#copy")  # a copy is enough
    page.reload()
    assert asked == []
    caption_file(page)
    page.click("#start")
    page.reload()
    assert asked == ["beforeunload"]


def test_the_archive_keeps_a_bounded_number_of_transcripts(open_page: Any) -> None:
    page = open_page()
    ids = page.evaluate("""async () => {
      const archive = await import("/archive.js");
      const span = { text: "so", start: 0, end: 1, confidence: null, begins: true };
      for (let at = 0; at < 40; at += 1) await archive.put({ id: `${at}`, at, spans: [span] });
      return (await archive.list()).map(({ id }) => id);
    }""")
    assert ids == [str(number) for number in range(39, 9, -1)]


def test_cleared_text_is_brought_back_by_undo(open_page: Any) -> None:
    page = open_page()
    caption_file(page)
    text = text_of(page)
    page.click("#more summary")
    page.click("#clear")
    assert text_of(page) == ""
    assert page.locator("#hero").is_visible()
    page.get_by_role("button", name="Undo").click()
    assert text_of(page) == text


def test_a_word_tells_its_time_and_confidence_and_is_heard_again(open_page: Any) -> None:
    page = open_page(
        script="""
        globalThis.played = [];
        const start = AudioBufferSourceNode.prototype.start;
        AudioBufferSourceNode.prototype.start = function () {
          played.push(this.buffer.duration);
          start.call(this);
        };
        """
    )
    caption_file(page)
    word = page.locator(".word").nth(4)
    word.hover()
    start, end = (float(word.get_attribute(f"data-{name}")) for name in ("start", "end"))
    label = page.locator("#word")
    label.wait_for()
    assert "% sure" in label.inner_text()
    assert "click to play" in label.inner_text()
    word.click()
    assert page.evaluate("played") == [pytest.approx(end - start + 0.3, abs=0.02)]
    page.focus("#captions")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert len(page.evaluate("played")) == 2


REPLAY = """
async ([seconds, enabled]) => {
  const { Replay } = await import("/replay.js");
  const replay = new Replay();
  replay.enabled = enabled;
  replay.begin(5, 100);
  for (let k = 0; k < seconds; k += 1) replay.write(new Int16Array(100));
  return [5, 6, seconds / 2, seconds + 4].map((at) => replay.has(at, at + 1));
}
"""


@pytest.mark.parametrize(
    ("seconds", "enabled", "kept"),
    [
        (100, False, [False, False, False, False]),
        (100, True, [True, True, True, True]),
        (4000, True, [False, False, False, True]),
    ],
)
def test_audio_is_kept_only_on_request_and_for_half_an_hour(
    open_page: Any, seconds: int, enabled: bool, kept: list[bool]
) -> None:
    assert open_page().evaluate(REPLAY, [seconds, enabled]) == kept


def test_grey_text_that_is_cut_off_is_named_and_can_be_kept(open_page: Any) -> None:
    page = open_page()

    def hold_back(socket: Any) -> None:
        """Pass on all messages but those that commit text or end the session."""
        server = socket.connect_to_server()
        kinds = ('"type":"committed"', '"type":"done"', '"text":""')

        def passed_on(text: str) -> None:
            if not any(kind in text.replace(" ", "") for kind in kinds):
                socket.send(text)

        server.on_message(passed_on)

    page.route_web_socket("**/v1/stream", hold_back)
    page.click("#start")
    page.locator(".partial").filter(has_text=re.compile(r"\w+ \w+")).wait_for()
    page.click("#start")
    page.get_by_role("button", name="Stop now").wait_for()
    grey = page.inner_text(".partial").strip()
    assert grey
    page.click("#start")
    page.get_by_text(f"were not confirmed: “{grey}”").wait_for()
    page.get_by_role("button", name="Keep them").click()
    assert text_of(page).endswith(grey)


def test_start_says_that_the_server_is_away(open_page: Any, servers: Servers) -> None:
    page = open_page()
    servers.load()
    servers.end()
    page.click("#start")
    page.get_by_text("The server cannot be reached. Is it running?").wait_for()
    servers.serve()
    servers.prepare()


def test_a_name_that_is_not_allowed_is_corrected_or_refused_with_the_reason(
    open_page: Any,
) -> None:
    page = open_page()
    page.click("#share-button")
    page.locator("#room").press_sequentially("town hall!")
    assert page.input_value("#room") == "town-hall!"
    page.keyboard.press("Escape")
    page.click("#start")
    page.locator("#notice").filter(has_text="“town-hall!” cannot be a name").wait_for()
    assert page.get_attribute(":root", "data-running") is None


def test_the_space_bar_starts_and_stops(open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Start", exact=True).wait_for()


@pytest.mark.parametrize(
    ("host", "said"),
    [("127.0.0.1", "Runs on this computer."), ("localhost", "Runs on this computer.")],
)
def test_the_first_screen_says_where_the_audio_goes(
    open_page: Any, servers: Servers, host: str, said: str
) -> None:
    page = open_page()
    page.goto(servers.url.replace("127.0.0.1", host))
    assert page.inner_text("#fact-place").startswith(said)
    assert "English only" in page.inner_text("#fact-model")


def test_elsewhere_the_first_screen_names_the_server(open_page: Any, servers: Servers) -> None:
    page = open_page()

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix("https://captions.test/")
        route.fulfill(response=route.fetch(url=servers.url + path))

    page.route("https://captions.test/**", answer)
    page.goto("https://captions.test/index.html")
    page.get_by_text("Audio goes to captions.test and is transcribed there.").wait_for()


def test_the_page_speaks_the_language_of_the_browser_and_can_be_switched(open_page: Any) -> None:
    page = open_page(locale="de-AT")
    assert page.get_attribute("html", "lang") == "de"
    page.get_by_role("heading", name="Jetzt sprechen").wait_for()
    page.click("#more summary")
    page.select_option("#page-language", "fr")
    page.get_by_role("heading", name="Commencez à parler").wait_for()
    page.reload()
    assert page.get_attribute("html", "lang") == "fr"


def test_programs_are_filled_with_the_address_and_can_be_run(
    open_page: Any, servers: Servers
) -> None:
    page = open_page("#token=secret")
    programs = page.evaluate("""async () => {
      const { programs } = await import("/code.js");
      return programs(location, { token: true });
    }""")
    texts = {program["name"]: program["text"] for program in programs}
    assert list(texts) == ["Python", "JavaScript", "curl", "Deepgram"]
    assert not any("secret" in text for text in texts.values())
    assert f'"{servers.url.replace("http", "ws")}v1/stream"' in texts["Python"]
    for name in ("Python", "Deepgram"):
        ast.parse(texts[name])
    page.click("#more summary")
    page.click("#code-button")
    for name, text in texts.items():
        page.get_by_role("tab", name=name).click()
        assert page.text_content("#code-block") == text


def test_captions_float_over_other_windows(open_page: Any) -> None:
    page = open_page()
    if not page.evaluate(FLOATING):
        assert not page.locator("#float").is_visible()
        pytest.skip("this browser has no floating windows")
    caption_file(page)
    page.click("#more summary")
    page.click("#float")
    page.wait_for_function("documentPictureInPicture.window?.document.querySelector('.word')")
    shown = page.evaluate("documentPictureInPicture.window.document.body.textContent")
    assert " ".join(shown.split()) == text_of(page)


def test_json_has_the_words_with_times_and_confidences(open_page: Any, tmp_path: Path) -> None:
    page = open_page()
    caption_file(page)
    page.click("#download summary")
    with page.expect_download() as download:
        page.click("#json")
    saved = json.loads(Path(download.value.path()).read_text())
    assert " ".join(saved["text"].split()) == text_of(page)
    assert [word["word"] for word in saved["words"]] == text_of(page).split()
    starts = np.array([word["start"] for word in saved["words"]])
    assert (np.diff(starts) >= 0).all()
    assert all(0 < word["confidence"] <= 1 for word in saved["words"])
