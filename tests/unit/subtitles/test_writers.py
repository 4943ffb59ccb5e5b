"""Transcripts as files, letter by letter as openai-whisper writes them."""

from __future__ import annotations

import io
import json
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
subtitles = st.builds(SubtitleOptions, counts, st.none() | st.integers(1, 3), counts, st.booleans())


@st.composite
def transcripts(draw: st.DrawFn, words: bool) -> Transcript:
    clock, segments = draw(st.sampled_from([0.0, 3599.0])), []
    for id in range(draw(st.integers(0, 4))):
        clock += draw(st.sampled_from([0.0, 0.5, 4.0]))
        start, timed = clock, []
        for text in draw(
            st.lists(st.sampled_from([" a", " -->", " müde,", "字", " well\tto-do."]))
        ):
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
