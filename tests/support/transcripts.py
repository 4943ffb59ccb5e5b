"""Transcripts compared word by word."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.lib.measure import Errors, count_errors, normalize_english
from streamwhisper.client import StreamEvent
from streamwhisper.events import Committed


def compare(wanted: str, heard: str) -> Errors:
    """Word errors, judged without case and punctuation."""
    return count_errors(normalize_english(wanted).split(), normalize_english(heard).split())


def repeats(text: str) -> list[str]:
    """Words that follow themselves."""
    words = normalize_english(text).split()
    return [word for word, following in pairwise(words) if word == following]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed))


def letters(text: str) -> list[str]:
    return "".join(sign for sign in text.lower() if sign.isalnum() or sign.isspace()).split()
