"""Committed text becomes cues that can be read, and none is lost or changed afterwards."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.events import Committed, Word
from streamwhisper.subtitles.live_cues import LINE, LONGEST, Captions, Cue, as_srt, as_vtt
from streamwhisper.typography import columns
from tests.support.examples import examples


def committed(*words: tuple[str, float, float], final: bool = False, tail: str = "") -> Committed:
    text = "".join(f" {word}" for word, _, _ in words) + tail
    spoken = tuple(Word(word, start, end, 0.9) for word, start, end in words)
    start, end = (spoken[0].start, spoken[-1].end) if spoken else (0.0, 0.0)
    return Committed(text, start, end, spoken, "en", 0, final)


def cues_of(*events: Committed) -> list[Cue]:
    captions, cues = Captions(), {}
    for event in events:
        cues.update(captions.add(event))
    return [cues[number] for number in sorted(cues)]


def test_a_cue_grows_until_its_sentence_is_over() -> None:
    captions = Captions()
    assert captions.add(committed(("Good", 0.5, 0.7))) == [(1, Cue(0.5, 0.7, "Good"))]
    assert captions.add(committed(("morning.", 0.7, 1.2))) == [(1, Cue(0.5, 1.2, "Good morning."))]
    assert captions.add(committed(("Now", 1.3, 1.5))) == [(2, Cue(1.3, 1.5, "Now"))]


def test_signs_that_come_late_belong_to_the_words_before_them() -> None:
    assert cues_of(committed(("well", 0, 1)), committed(final=True, tail="...")) == [
        Cue(0.0, 1.0, "well...")
    ]


def test_an_utterance_and_a_pause_end_a_cue() -> None:
    events = (
        committed(("one", 0, 1), final=True),
        committed(("two", 1, 2)),
        committed(("three", 4, 5)),
    )
    assert [cue.text for cue in cues_of(*events)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("お元気ですか\uff1f", "はい。"), ("すごい\uff01", "はい。"), ("今日。", "はい。")),
        *(("「はい。」", "次。"), ("はい\uff0e", "次"), ("है।", "हाँ"), ("نعم\u061f", "لا")),
        *(("ہے\u06d4", "ہاں"), ("այո\u0589", "ոչ"), ("አዎ።", "አይ")),
        *(('"yes."', " Next"), ("(Yes.)", " No"), ("Yes.”", " No")),
    ],
)
def test_a_sentence_of_any_script_ends_a_cue_before_its_closing_signs_or_after(one, other) -> None:
    words = (Word(one.strip(), 0.0, 0.3, 0.9), Word(other.strip(), 0.3, 0.6, 0.9))
    event = Committed(one + other, 0.0, 0.6, words, None, 0, False)
    assert [cue.text for cue in cues_of(event)] == [one.strip(), other.strip()]


def test_a_stop_that_comes_with_the_next_event_ends_the_cue_before() -> None:
    events = (
        Committed("お元気ですか", 0.0, 0.5, (Word("お元気ですか", 0.0, 0.5, 0.9),), "ja", 0, False),
        Committed("\uff1f「はい。」", 0.5, 1.0, (Word("はい。", 0.6, 1.0, 0.9),), "ja", 0, False),
    )
    assert [cue.text for cue in cues_of(*events)] == ["お元気ですか\uff1f", "「はい。」"]


def test_a_comma_after_a_pause_belongs_to_the_cue_before() -> None:
    words = (Word("ask", 2.0, 2.2, 0.9), Word("what", 2.2, 2.5, 0.9))
    ask = Committed(", ask what", 2.0, 2.5, words, "en", 1, False)
    cues = cues_of(committed(("country", 0, 1), final=True), ask)
    assert [cue.text for cue in cues] == ["country,", "ask what"]


def test_forty_wide_characters_need_two_lines_and_no_line_begins_with_a_stop() -> None:
    written = as_srt(1, Cue(0.0, 1.0, "日" * 40)).split("\n")[2:4]
    assert written == ["日" * 21, "日" * 19]
    written = as_srt(1, Cue(0.0, 1.0, "日" * 21 + "。" + "日" * 5)).split("\n")[2:4]
    assert written == ["日" * 20, "日。" + "日" * 5]


def test_no_line_of_thai_begins_with_a_combining_mark() -> None:
    lines = as_srt(1, Cue(0.0, 1.0, "ที่นี่เป็นภาษาไทย" * 6)).rstrip("\n").split("\n")[2:]
    assert len(lines) > 1
    assert not any(unicodedata.category(line[0])[0] == "M" for line in lines)


def test_arrows_are_written_so_that_no_player_takes_them_for_times() -> None:
    cue = Cue(0.0, 1.0, "a --> b ----> c & <i>")
    assert as_srt(1, cue).split("\n")[2] == "a -> b ---- > c & <i>"
    assert as_vtt(1, cue).split("\n")[2] == "a --&gt; b ----&gt; c &amp; &lt;i&gt;"


def test_the_formats_are_those_of_subtitles() -> None:
    cue = Cue(3661.5, 3662.25, "1 < 2 & so on")
    assert as_srt(7, cue) == "7\n01:01:01,500 --> 01:01:02,250\n1 < 2 & so on\n\n"
    assert as_vtt(7, cue) == "7\n01:01:01.500 --> 01:01:02.250\n1 &lt; 2 &amp; so on\n\n"


words = st.lists(
    st.tuples(
        st.text(st.sampled_from("abcé漢字。「」ーที่.,!?->"), min_size=1, max_size=50).filter(
            lambda text: any(sign.isalnum() for sign in text)
        ),
        st.floats(0.05, 3.0),
        st.booleans(),  # the event ends
        st.booleans(),  # the utterance does
    ),
    max_size=60,
)


@settings(max_examples=examples(150))
@given(words)
def test_every_word_stands_in_one_cue_and_a_piece_of_a_file_never_gets_shorter(
    spoken: list[tuple[str, float, bool, bool]],
) -> None:
    at, events, held = 0.0, [], []
    for word, seconds, ends, final in spoken:
        held.append((word, at, at + seconds))
        at += seconds
        if ends:
            events.append(committed(*held, final=final))
            held = []
    captions, cues, written = Captions(), {}, {}
    for event in events:
        for number, cue in captions.add(event):
            assert number in (len(cues), len(cues) + 1)  # only the last one grows
            for form in (as_srt, as_vtt):
                piece = form(number, cue).encode()
                assert len(piece) >= len(written.get((form, number), b""))
                written[form, number] = piece
            cues[number] = cue
    shown = list(cues.values())
    text = "".join(event.text for event in events)
    assert "".join("".join(cue.text for cue in shown).split()) == "".join(text.split())
    for before, after in pairwise(shown):
        assert before.start <= before.end <= after.start
    for number, cue in cues.items():
        lines = as_srt(number, cue).rstrip("\n").split("\n")[2:]
        assert all(columns(line.replace("- >", "->")) <= LINE for line in lines)
        assert len(cue.text.split()) == 1 or cue.end - cue.start <= LONGEST + 3
