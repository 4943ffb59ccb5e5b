"""Transcripts as files, letter by letter as openai-whisper writes them."""

from __future__ import annotations

import io
import json
import unicodedata
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper import utils as reference

from streamwhisper.subtitles.writers import FORMATS, SubtitleOptions, as_record, render, write
from streamwhisper.transcript import Segment, TimedWord, Transcript
from tests.support.examples import examples

WRITERS = {
    "txt": reference.WriteTXT,
    "json": reference.WriteJSON,
    "srt": reference.WriteSRT,
    "vtt": reference.WriteVTT,
    "tsv": reference.WriteTSV,
}
counts = st.none() | st.integers(1, 40)
subtitles = st.builds(
    SubtitleOptions,
    counts,
    st.none() | st.integers(1, 3),
    counts,
    st.booleans(),
    st.just(0.0),
    st.just(True),
)


@st.composite
def transcripts(draw: st.DrawFn, words: bool) -> Transcript:
    clock, segments = draw(st.sampled_from([0.0, 3599.0])), []
    for id in range(draw(st.integers(0, 4))):
        clock += draw(st.sampled_from([0.0, 0.5, 4.0]))
        start, timed = clock, []
        for text in draw(st.lists(st.sampled_from([" a", " müde,", "é", " well\tto-do."]))):
            clock += draw(st.sampled_from([0.0, 0.3, 3.5]))
            end = clock + draw(st.sampled_from([0.0, 0.2004]))
            timed.append(TimedWord(text, clock, end, 0.5))
            clock = end
        text = "".join(word.word for word in timed)
        segments.append(
            Segment(id, start, clock, text, tokens=(1, 2), words=tuple(timed) if words else None)
        )
    return Transcript("".join(s.text for s in segments), tuple(segments), "en", clock)


def written_by_the_reference(transcript: Transcript, format: str, options: SubtitleOptions) -> str:
    file = io.StringIO()
    layout = asdict(options) if format in ("srt", "vtt") else {}
    layout = {
        name: layout[name] for name in layout if name not in ("min_cue_duration", "by_segment")
    }
    WRITERS[format](".").write_result(as_record(transcript), file, layout)
    return file.getvalue()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("words", [True, False])
@settings(max_examples=examples(60))
@given(data=st.data())
def test_every_format_is_that_of_the_reference(format, words, data):
    transcript = data.draw(transcripts(words))
    options = data.draw(subtitles)
    assert render(transcript, format, options) == written_by_the_reference(
        transcript, format, options
    )


def test_files_are_written_beside_each_other_in_a_new_folder(tmp_path):
    transcript = Transcript(" Hi.", (Segment(0, 0.0, 1.0, " Hi."),), "en", 1.0)
    paths = write(transcript, "talk", tmp_path / "new", list(FORMATS))
    assert [path.name for path in paths] == [f"talk.{format}" for format in FORMATS]
    assert (tmp_path / "new" / "talk.txt").read_text() == "Hi.\n"
    assert json.loads((tmp_path / "new" / "talk.json").read_text())["segments"][0]["end"] == 1.0


def test_a_line_must_have_room_for_a_character():
    with pytest.raises(ValueError, match="max_line_width is 0"):
        SubtitleOptions(max_line_width=0)


def transcript_of(*words: tuple[str, float, float], timed: bool = True) -> Transcript:
    """A transcript of one segment that ends half a second before the recording."""
    own = tuple(TimedWord(word, start, end, 0.5) for word, start, end in words)
    text = "".join(word.word for word in own)
    segment = Segment(0, own[0].start, own[-1].end, text, words=own if timed else None)
    return Transcript(text, (segment,), "en", own[-1].end + 0.5)


@pytest.mark.parametrize("timed", [True, False])
def test_webvtt_is_escaped_and_no_text_has_the_arrow_between_times(timed):
    words = [(" AT&T", 0.0, 1.0), (" <b>", 1.0, 2.0), (" -->", 2.0, 3.0), (" x", 3.0, 4.0)]
    transcript = transcript_of(*words, timed=timed)
    assert "AT&amp;T &lt;b&gt; --&gt; x\n" in render(transcript, "vtt")
    assert "AT&T <b> -> x\n" in render(transcript, "srt")


def test_only_the_tags_of_highlighted_words_are_tags():
    options = SubtitleOptions(highlight_words=True)
    written = render(transcript_of((" <b>", 0.0, 1.0), (" R&D", 1.0, 2.0)), "vtt", options)
    assert "<u>&lt;b&gt;</u> R&amp;D\n" in written
    assert "&lt;b&gt; <u>R&amp;D</u>\n" in written


def test_a_cue_lasts_a_second_unless_the_next_one_or_the_end_of_the_recording_comes_first():
    words = [(" one", 0.0, 0.1), (" two", 0.4, 0.5), (" three", 3.0, 3.1), (" four", 5.0, 5.1)]
    transcript = transcript_of(*words)
    one_each = render(transcript, "srt", SubtitleOptions(max_words_per_line=1))
    times = [line.split(" --> ") for line in one_each.split("\n") if " --> " in line]
    assert [end for _, end in times] == [
        *("00:00:00,400", "00:00:01,400", "00:00:04,000", "00:00:05,600")
    ]
    exact = render(transcript, "srt", SubtitleOptions(max_words_per_line=1, min_cue_duration=0))
    assert "00:00:00,000 --> 00:00:00,100" in exact
    with pytest.raises(ValueError, match="min_cue_duration is inf"):
        SubtitleOptions(min_cue_duration=float("inf"))


@pytest.mark.parametrize("count", [None, 2])
def test_no_line_begins_with_a_combining_mark_and_wide_characters_count_twice(count):
    parts = ["ที", "่น", "ี่", "เป", "็น", "ภา", "ษา", "ไท", "ย"]
    thai = transcript_of(*[(part, k, k + 1.0) for k, part in enumerate(parts)])
    options = SubtitleOptions(max_line_width=4, max_line_count=count)
    lines = [line for line in render(thai, "srt", options).split("\n") if line and line[0] > "~"]
    assert len(lines) > 1
    assert not any(unicodedata.category(line[0])[0] == "M" for line in lines)
    japanese = transcript_of(*[("日", k, k + 1.0) for k in range(4)])
    assert "日日\n日日" in render(japanese, "srt", options)
