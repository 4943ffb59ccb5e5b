"""Subtitles of recordings can be read: short lines, no overlaps, and every word."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.segment import Segment, TimedWord
from streamwhisper.subtitles.recorded_cues import readable_cues
from streamwhisper.subtitles.writers import SubtitleOptions, render
from streamwhisper.transcript import Transcript
from streamwhisper.typography import columns
from tests.support.examples import examples


def spoken(*words: tuple[str, float, float]) -> Segment:
    own = tuple(TimedWord(word, start, end, 0.9) for word, start, end in words)
    return Segment(0, own[0].start, own[-1].end, "".join(w.word for w in own), words=own)


texts = st.text(st.sampled_from("abcdeé漢字語。ーที่,.!?-%「」"), min_size=1, max_size=120).filter(
    lambda text: any(map(str.isalnum, text))
)
signs = st.sampled_from([" -", " ♪", "...", "?", " «"])
timed = st.tuples(
    texts | st.sampled_from(["a", "word.", "words,"]) | signs,
    st.booleans(),  # a space in front
    st.sampled_from([0.0, 0.0, 0.3, 2.0, 9.0]),  # silence before
    st.floats(0.02, 9.0),
    st.booleans(),  # the segment ends
)


def segments_of(
    words: list[tuple[str, bool, float, float, bool]], with_times: bool
) -> list[Segment]:
    at, own, found = 0.0, list[TimedWord](), list[Segment]()
    for number, (text, space, before, seconds, ends) in enumerate(words, start=1):
        at += before
        own.append(TimedWord(" " * space + text, at, at + seconds, 0.9))
        at += seconds
        if ends or number == len(words):
            joined = "".join(word.word for word in own)
            kept = tuple(own) if with_times else None
            found.append(Segment(len(found), own[0].start, at, joined, words=kept))
            own = []
    return found


@pytest.mark.parametrize("with_times", [True, False])
@settings(max_examples=examples(150))
@given(words=st.lists(timed, max_size=40))
def test_cues_never_overlap_fit_the_screen_for_six_seconds_and_have_every_word(
    with_times: bool, words: list[tuple[str, bool, float, float, bool]]
) -> None:
    segments = segments_of(words, with_times)
    cues = readable_cues(segments)
    for cue in cues:
        assert 0 <= cue.start <= cue.end <= cue.start + 6.001
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert max(map(columns, lines)) <= 42
    assert all(before.end <= after.start for before, after in pairwise(cues))
    written = re.sub(r"\s", "", "".join(cue.text for cue in cues))
    assert written == re.sub(r"\s", "", "".join(segment.text for segment in segments))


def test_a_sentence_and_a_pause_end_a_cue_and_the_end_of_a_segment_does_not() -> None:
    first = spoken((" We", 0.0, 0.3), (" go.", 0.3, 0.6), (" They", 0.7, 1.0))
    second = spoken((" stay", 1.0, 1.4), (" and", 3.5, 3.7))
    assert [cue.text for cue in readable_cues([first, second])] == ["We go.", "They stay", "and"]


def test_a_segment_without_timed_words_is_divided_by_its_width() -> None:
    text = " " + " ".join(["four"] * 40)
    cues = readable_cues([Segment(0, 10.0, 30.0, text)])
    assert [cue.start for cue in cues] == pytest.approx([10.0, 16.0, 22.0, 28.0])
    assert cues[-1].end == pytest.approx(30.0)


def test_a_word_that_lasts_longer_is_shown_for_six_seconds() -> None:
    (cue,) = readable_cues([spoken((" Oh", 1.0, 12.0))])
    assert (cue.start, cue.end) == (1.0, 7.0)


@pytest.mark.parametrize(
    ("options", "readable"),
    [
        (SubtitleOptions(), True),
        (SubtitleOptions(min_cue_duration=0.0), True),
        (SubtitleOptions(by_segment=True), False),
        (SubtitleOptions(max_line_width=90), False),
        (SubtitleOptions(max_line_count=3), False),
        (SubtitleOptions(max_words_per_line=50), False),
        (SubtitleOptions(highlight_words=True), False),
    ],
)
def test_openai_whisper_s_options_bring_its_layout(
    options: SubtitleOptions, readable: bool
) -> None:
    words = tuple(TimedWord(f" word{k}", k * 0.1, k * 0.1 + 0.1, 0.9) for k in range(30))
    text = "".join(word.word for word in words)
    whole = Transcript(text, (Segment(0, 0.0, 3.0, text, words=words),), "en", 3.0)
    longest = max(map(len, render(whole, "srt", options).split("\n")))
    assert (longest <= 42) is readable
