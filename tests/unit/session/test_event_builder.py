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


@pytest.mark.parametrize(
    ("before", "words", "expected"),
    [
        ([" your", " country"], [", ask", " what"], "your country ask what"),
        ([" your", " country."], [",", " ask"], "your country. Ask"),
        ([" your", " country"], ["."], "your country"),
        (["\u4f60\u597d\u3002"], ["\u3002\u4f60"], "\u4f60\u597d\u3002\u4f60"),
        ([" about"], [" .5"], "about .5"),
    ],
)
def test_an_utterance_never_begins_with_punctuation(
    before: list[str], words: list[str], expected: str
) -> None:
    transcript = EventBuilder("en")
    first = transcript.commit(said(*before), 0, 0)
    partial, second = transcript.partial(said(*words), 0), transcript.commit(said(*words), 0, 0)
    assert first.text + second.text == expected
    assert (partial.text if partial else "") == second.text
    assert "".join(f" {word.word}" for word in second.words).split() == second.text.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([" down.", " while"], ["down.", "While"]),
        ([" down?", " while"], ["down?", "While"]),
        ([" down", ".", " while"], ["down", "While"]),
        ([" down", ". while"], ["down", "While"]),
        ([" down...", " while"], ["down...", "while"]),
        ([" e.g.", " while"], ["e.g.", "while"]),
        ([" Mr.", " smith"], ["Mr.", "smith"]),
        ([" \u201cWhere?\u201d", " he"], ["\u201cWhere?\u201d", "he"]),
        ([" 3.5", " per"], ["3.5", "per"]),
        ([" NOW.", " iPhone"], ["NOW.", "iPhone"]),
        ([" down,", " while"], ["down,", "while"]),
    ],
)
@pytest.mark.parametrize("ends", [None, 0])
def test_a_sentence_begins_with_a_capital_in_texts_and_words(
    words: list[str], expected: list[str], ends: int | None
) -> None:
    """However the words are spread over events, and in partials too."""
    whole, parts = EventBuilder("en"), EventBuilder("en")
    committed = whole.commit(said(*words), 0, 0)
    assert [word.word for word in committed.words] == expected
    split = len(words) - 1
    first = parts.commit(said(*words[:split]), 0, ends)
    rest = said(*words[split:])
    partial, second = parts.partial(rest, 0), parts.commit(rest, 0, 0)
    assert partial is not None
    assert partial.text == second.text
    if not words[-1].startswith("."):
        assert first.text + second.text == committed.text
        assert [word.word for word in (*first.words, *second.words)] == expected


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
