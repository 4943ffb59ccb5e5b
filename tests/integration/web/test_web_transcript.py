"""What the captions page shows and saves: text, captions with times, and where it scrolls."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.websocket.static_files import StaticFiles
from streamwhisper.typography import columns, may_begin_line
from tests.support.browser import browsing

Message = dict[str, Any]
EXAMPLES = settings(max_examples=40)
SITE = "https://captions.test"
WRITE = """
async (messages) => {
  const { Transcript } = await import("/transcript.js");
  const transcript = new Transcript();
  const shown = messages.map((message) => transcript.add(message));
  return {
    shown,
    cues: transcript.cues(),
    text: transcript.toText(),
    srt: transcript.toSrt(),
    vtt: transcript.toVtt(),
  };
}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    pages = StaticFiles(ModelInfo("base", 80, multilingual=True))

    def answer(route: Any) -> None:
        response = pages.response(Request(route.request.url.removeprefix(SITE), Headers()))
        assert response is not None
        headers = dict(response.headers.raw_items())
        route.fulfill(status=200, headers=headers, body=bytes(response.body))

    with browsing(None) as browser:
        page = browser.new_page()
        page.route(f"{SITE}/**", answer)
        page.goto(f"{SITE}/icon.svg")  # a page without a script
        yield page


names = st.sampled_from(
    ["a", "so", "well,", "there.", "<i>", "incomprehensibilities", "Tom & Jerry's", "-->", "Ende!"]
)


@st.composite
def speech(draw: st.DrawFn) -> list[Message]:
    """Committed messages as a server sends them."""
    at = 0.0
    messages: list[Message] = []
    for said in draw(st.lists(st.lists(names, min_size=1, max_size=12), min_size=1, max_size=6)):
        at += draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]))
        words = []
        for name in said:
            length = draw(st.sampled_from([0.05, 0.3, 0.6]))
            words.append({"word": name, "start": at, "end": at + length})
            at += length
        text = (" " if messages else "") + " ".join(said)
        final = draw(st.booleans())
        start = words[0]["start"]
        messages.append({"text": text, "start": start, "end": at, "words": words, "final": final})
    return messages


@EXAMPLES
@given(messages=speech())
def test_captions_hold_every_word_once_in_lines_and_times_that_can_be_read(
    page: Any, messages: list[Message]
) -> None:
    cues = page.evaluate(WRITE, messages)["cues"]
    said = "".join(message["text"] for message in messages)
    assert " ".join(line for cue in cues for line in cue["lines"]).split() == said.split()
    starts = {word["start"] for message in messages for word in message["words"]}
    for cue in cues:
        assert cue["start"] in starts
        assert 0 < cue["end"] - cue["start"] <= 6.5
        assert len(cue["lines"]) <= 2
        assert all(len(line) <= 63 for line in cue["lines"])  # 42, but for words that are long
    for cue, following in pairwise(cues):
        assert cue["end"] <= following["start"]
        gap = following["start"] - cue["start"]
        assert cue["end"] - cue["start"] >= min(1.0, gap) - 1e-6


@EXAMPLES
@given(messages=speech())
def test_what_is_saved_is_read_by_others_as_it_was_written(
    page: Any, messages: list[Message]
) -> None:
    written = page.evaluate(WRITE, messages)
    for format, text in (("srt", written["srt"]), ("webvtt", written["vtt"])):
        with av.open(io.BytesIO(text.encode()), format=format) as file:
            packets = [packet for packet in file.demux() if packet.size]
        assert len(packets) == len(written["cues"])
        for packet, cue in zip(packets, written["cues"], strict=True):
            assert float(packet.pts * packet.time_base) == pytest.approx(cue["start"], abs=0.001)
            length = cue["end"] - cue["start"]
            assert float(packet.duration * packet.time_base) == pytest.approx(length, abs=0.002)
            lines = "\n".join(cue["lines"])
            if format == "srt":
                lines = lines.replace("-->", "->")
            else:
                lines = lines.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            assert bytes(packet).decode().strip() == lines


@st.composite
def disordered(draw: st.DrawFn) -> list[Message]:
    """Committed messages whose times overlap, go back, or are all the same."""
    times = st.floats(0, 30).map(lambda seconds: round(seconds, 3))
    messages: list[Message] = []
    for said in draw(st.lists(st.lists(names, min_size=1, max_size=12), min_size=1, max_size=6)):
        words = [
            {"word": name, "start": start, "end": max(start, draw(times))}
            for name, start in ((name, draw(times)) for name in said)
        ]
        start, end = words[0]["start"], words[-1]["end"]
        text = " ".join(said)
        messages.append({"text": text, "start": start, "end": end, "words": words, "final": True})
    return messages


@EXAMPLES
@given(messages=disordered())
def test_saved_subtitles_never_overlap_whatever_times_the_words_have(
    page: Any, messages: list[Message]
) -> None:
    written = page.evaluate(WRITE, messages)
    for text in (written["srt"].replace(",", "."), written["vtt"]):
        bounds = re.findall(r"(\d\d):(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d):(\d\d\.\d{3})", text)
        times = [
            [float(h) * 3600 + float(m) * 60 + float(s) for h, m, s in (b[:3], b[3:])]
            for b in bounds
        ]
        assert len(times) == len(written["cues"])
        assert all(start < end for start, end in times)
        assert all(end <= start for (_, end), (start, _) in pairwise(times))


def spoken(text: str, start: float) -> Message:
    words = [{"word": text, "start": start, "end": start + 0.3}]
    return {"text": text, "start": start, "end": start + 0.3, "words": words, "final": False}


@pytest.mark.parametrize(
    "stop", ["\uff1f", "\uff01", "。", "।", "\u061f", "\u06d4", "\u0589", "።", "。」", '."', ".”"]
)
def test_a_sentence_of_any_script_ends_a_cue(page: Any, stop: str) -> None:
    messages = [spoken(f"お元気ですかお元気ですか{stop}", 0.0), spoken("はい", 0.3)]
    cues = page.evaluate(WRITE, messages)["cues"]
    assert [cue["lines"][-1] for cue in cues] == [messages[0]["text"], "はい"]


@pytest.mark.parametrize(
    "text", ["ที่นี่เป็นภาษาไทย" * 4, "きょうはがっこうへいきました。" * 3, "👍🏽" * 30]
)
def test_lines_of_scripts_without_spaces_fit_and_begin_where_lines_may(
    page: Any, text: str
) -> None:
    (cue,) = page.evaluate(WRITE, [spoken(text, 0.0)])["cues"]
    assert "".join(cue["lines"]) == text
    assert len(cue["lines"]) == 2
    assert all(columns(line) <= 50 and may_begin_line(line[0]) for line in cue["lines"])


def test_a_long_pause_after_a_finished_utterance_begins_a_paragraph(page: Any) -> None:
    def message(text: str, start: float, *, final: bool = True) -> Message:
        return {"text": text, "start": start, "end": start + 1, "words": [], "final": final}

    written = page.evaluate(
        WRITE,
        [
            message("One.", 0),
            message(" Two,", 1.5, final=False),
            message(" and three.", 5),
            message("", 6),
            message(" Four.", 9),
        ],
    )
    assert written["text"] == "One. Two, and three.\n\nFour.\n"
    assert [text and text["begins"] for text in written["shown"]] == [
        True,
        False,
        False,
        None,
        True,
    ]


def test_text_without_spaces_is_broken_where_lines_are_full(page: Any) -> None:
    text = "今日はとても良い天気ですから公園まで散歩に行きましょうか"
    words = [{"word": sign, "start": k / 8, "end": (k + 1) / 8} for k, sign in enumerate(text)]
    (cue,) = page.evaluate(
        WRITE, [{"text": text, "start": 0, "end": 4, "words": words, "final": True}]
    )["cues"]
    assert "".join(cue["lines"]) == text
    assert [len(line) for line in cue["lines"]] == [14, 14]


SCROLL = """
async () => {
  const { Reader } = await import("/reader.js");
  const [box, back] = [document.getElementById("captions"), document.getElementById("back")];
  document.documentElement.dataset.view = "text";
  const reader = new Reader(box, back);
  const frame = () => new Promise((resolve) => setTimeout(resolve, 60));
  const seen = async () => {
    await frame();
    return [Math.round(box.scrollHeight - box.scrollTop - box.clientHeight) <= 1, back.hidden];
  };
  const say = (count) => {
    for (let k = 0; k < count; k += 1) reader.commit({ text: " and so on", begins: k % 9 === 0 });
  };
  say(600);
  const grown = await seen();
  box.scrollTop -= 300;
  await frame();
  const before = box.scrollTop;
  say(50);
  const away = [...(await seen()), box.scrollTop === before];
  back.click();
  say(50);
  const again = await seen();
  box.scrollTop = 0;
  await frame();
  box.scrollTop = box.scrollHeight;
  await frame();
  say(50);
  return [grown, away, again, await seen()];
}
"""


def test_guesses_before_the_first_text_leave_no_empty_paragraph(page: Any) -> None:
    page.goto(f"{SITE}/index.html")
    paragraphs = page.evaluate("""async () => {
      const { Reader } = await import("/reader.js");
      const [box, back] = ["captions", "back"].map((id) => document.getElementById(id));
      const reader = new Reader(box, back);
      reader.guess("He beg");
      reader.commit({ text: "He began.", begins: true });
      reader.guess(" And th");
      reader.commit({ text: "Then", begins: true });
      return [...box.children].map((p) => p.textContent);
    }""")
    assert paragraphs == ["He began.", "Then And th"]


def test_the_text_scrolls_by_itself_until_its_reader_scrolls_and_again_at_its_end(
    page: Any,
) -> None:
    page.goto(f"{SITE}/index.html")
    grown, away, again, returned = page.evaluate(SCROLL)
    assert grown == [True, True]
    assert away == [False, False, True]
    assert again == [True, True]
    assert returned == [True, True]


PLACES = """
async (overlay) => {
  const { Reader } = await import("/reader.js");
  const [box, back] = ["captions", "back"].map((id) => document.getElementById(id));
  document.documentElement.dataset.view = "text";
  if (overlay) document.documentElement.dataset.overlay = "";
  const reader = new Reader(box, back);
  const words = " a golden fortune and so on, incomprehensibilities".split(/(?= )/);
  const moved = [];
  const places = new Map(); // of the spans that stand
  for (let k = 0; k < 120; k += 1) {
    reader.commit({ text: words[(k * k) % 7] ?? " so", begins: k === 0 });
    reader.guess(words.slice(0, k % 5).join(""));
    const spans = [...box.querySelectorAll(".committed")];
    const begin = spans[0].getClientRects()[0].top; // lines move up together, or not at all
    for (const span of spans) {
      const { left, top } = span.getClientRects()[0];
      const place = [left, top - begin].map(Math.round).join();
      if ((places.get(span) ?? place) !== place) moved.push(span.textContent);
      places.set(span, place);
    }
  }
  return [places.size, moved];
}
"""


@pytest.mark.parametrize("overlay", [False, True])
def test_words_that_stand_stay_where_they_are_while_the_text_grows(
    page: Any, overlay: bool
) -> None:
    page.goto(f"{SITE}/index.html")
    count, moved = page.evaluate(PLACES, overlay)
    assert count == 120
    assert moved == []


def test_the_page_offers_the_languages_of_the_model_and_takes_a_tag(page: Any) -> None:
    for asked, chosen in (("zh-TW", "zh-Hant"), ("de-AT", "de"), ("yue", "")):
        page.goto(f"{SITE}/index.html?language={asked}")
        assert page.input_value("#language") == chosen
    offered = page.eval_on_selector_all("#language option", "all => all.map(o => o.value)")
    assert len(offered) == len(set(offered)) == 1 + 99 + 1  # automatic, base's, traditional Chinese
    page.goto(f"{SITE}/icon.svg")
