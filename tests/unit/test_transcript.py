"""A transcript prints as its text and saves itself by suffix."""

from __future__ import annotations

import json

import pytest

from streamwhisper.subtitles.writers import FORMATS, SubtitleOptions, render
from streamwhisper.transcript import Segment, TimedWord, Transcript

WORDS = (TimedWord(" Hello", 0.0, 0.5, 0.9), TimedWord(" there.", 0.5, 1.0, 0.9))
TRANSCRIPT = Transcript(
    " Hello there.",
    (Segment(0, 0.0, 1.0, " Hello there.", tokens=(1, 2), words=WORDS),),
    "en",
    1.0,
)


def test_its_text_has_no_leading_space():
    assert str(TRANSCRIPT) == f"{TRANSCRIPT}" == "Hello there."


def test_it_is_shown_without_tokens():
    assert "tokens" not in repr(TRANSCRIPT)


def test_it_is_subtitles_and_json():
    assert TRANSCRIPT.to_srt() == "1\n00:00:00,000 --> 00:00:01,000\nHello there.\n\n"
    assert TRANSCRIPT.to_vtt() == "WEBVTT\n\n00:00.000 --> 00:01.000\nHello there.\n\n"
    narrow = SubtitleOptions(max_words_per_line=1)
    assert TRANSCRIPT.to_srt(narrow).count("-->") == 2
    assert json.loads(TRANSCRIPT.to_json())["text"] == " Hello there."


@pytest.mark.parametrize("format", FORMATS)
def test_it_is_saved_by_suffix(tmp_path, format):
    path = TRANSCRIPT.save(tmp_path / f"talk.{format.upper()}")
    assert path.read_text(encoding="utf-8") == render(TRANSCRIPT, format)
    assert TRANSCRIPT.save(str(path)) == path


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in '.doc'; expected one of .txt, .json, .srt"):
        TRANSCRIPT.save(tmp_path / "talk.doc")
