"""Words to events: text that joins up."""

from __future__ import annotations

import pytest

from streamwhisper.recognition import HypothesisWord
from streamwhisper.session.event_builder import EventBuilder
from streamwhisper.session.window import WindowWord


def said(*texts: str) -> list[WindowWord]:
    return [
        WindowWord(
            HypothesisWord(text, (index,), 0.0, 0.0, -0.5), index * 16000, index * 16000 + 8000
        )
        for index, text in enumerate(texts)
    ]


def test_committed_texts_join_to_the_transcript() -> None:
    transcript = EventBuilder("en")
    parts = [
        transcript.commit(said(" Hello", " there,"), 0),
        transcript.commit(said(" you", "."), 0, 0),
        transcript.commit(said(" Bye."), 0, 0),
    ]
    assert "".join(part.text for part in parts) == "Hello there, you. Bye."
    assert [part.utterance for part in parts] == [0, 0, 1]


def test_lone_punctuation_is_text_but_no_word() -> None:
    committed = EventBuilder("en").commit(said(" you", "."), 0)
    assert [word.word for word in committed.words] == ["you"]


def test_a_sentence_that_goes_on_after_a_pause_has_its_comma_in_the_text_but_in_no_word() -> None:
    transcript = EventBuilder("en")
    parts = [
        transcript.commit(said(" your", " country"), 0, 0),
        transcript.commit(said(", ask", " what"), 0, 0),
    ]
    assert "".join(part.text for part in parts) == "your country, ask what"
    assert [word.word for word in parts[1].words] == ["ask", "what"]
    assert EventBuilder("en").commit(said(", ask"), 0).text == "ask"


def test_a_word_has_its_times_in_seconds_and_its_probability() -> None:
    (word,) = EventBuilder("en").commit(said(" you"), 0).words
    assert (word.start, word.end) == (0.0, 0.5)
    assert word.confidence == pytest.approx(0.6065, abs=1e-4)


def test_the_same_partial_is_said_once() -> None:
    transcript = EventBuilder(None)
    assert transcript.partial(said(" one"), 0) is not None
    assert transcript.partial(said(" one"), 0) is None
    withdrawn = transcript.partial([], 0)
    assert withdrawn is not None
    assert withdrawn.text == ""
