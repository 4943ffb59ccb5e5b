"""What is said, and what is put out for it."""

from __future__ import annotations

from typing import Any

import pytest

from streamwhisper.dictation.phrases import PhraseOptions, Phrases


def put_out(*utterances: str, **options: Any) -> str:
    """What stands after all edits, when every word comes by itself."""
    phrases = Phrases(PhraseOptions(**options))
    text = ""
    for utterance in utterances:
        pieces = [phrases.apply(f" {word}") for word in utterance.split()]
        for edit in (edit for edits in (*pieces, phrases.end()) for edit in edits):
            assert edit.erase <= len(text)
            text = text[: len(text) - edit.erase] + edit.text
    return text.removeprefix(" ")


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("hello comma how are you question mark", "hello, how are you?"),
        ("Hello, comma, how are you?", "Hello, how are you?"),
        ("Hello. Comma. How are you?", "Hello, how are you?"),
        ("Hello there, period. how are you", "Hello there. How are you"),
        ("I will be there period", "I will be there."),
        ("We were there full stop it rained", "We were there. It rained"),
        ("Stop it! Exclamation mark.", "Stop it!"),
        ("as follows, colon, apples, semicolon, pears", "as follows: apples; pears"),
        ("he came, dash, and went", "he came – and went"),
        ("a well hyphen known man", "a well-known man"),
        ("john at sign example", "john@example"),
        ("and then dot dot dot silence", "and then… Silence"),
        ("fifty percent sign. And", "fifty%. And"),
        ("the dogs apostrophe s tail", "the dogs’s tail"),
        ("Hello new-line there", "Hello\nThere"),
    ],
)
def test_punctuation_that_is_said_takes_the_place_of_what_whisper_adds(
    said: str, written: str
) -> None:
    assert put_out(said) == written
