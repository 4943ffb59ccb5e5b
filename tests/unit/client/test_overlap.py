"""Text heard again: exactly what was told before is left out, however it was heard this time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.client.overlap import after_words, overlap
from streamwhisper.events import Committed, Word


def spoken(text: str, at: float = 0.0) -> list[Word]:
    """Words of 0.3 s each."""
    return [
        Word(word, at + 0.3 * number, at + 0.3 * number + 0.3, 1.0)
        for number, word in enumerate(text.split())
    ]


def committed(text: str) -> Committed:
    return Committed(text, 0.0, 9.0, tuple(spoken(text)), "en", 0, False)


@pytest.mark.parametrize(
    ("told", "again", "new"),
    [
        ("", "so we go", "so we go"),
        ("so we", "", ""),
        ("So we went", "so we went, to the store", "to the store"),
        ("so we want", "so we went to the store", "to the store"),
        ("so we went", "so went to the store", "to the store"),
        ("we went", "so we went to the store", "to the store"),
        ("the", "the the store", "the store"),
        ("no no no", "no no no no way", "no way"),
        ("so we went to", "so we", ""),
    ],
)
def test_what_was_told_is_left_out_and_the_rest_is_new(told: str, again: str, new: str) -> None:
    words = spoken(again)
    count = overlap(spoken(told), words)
    assert " ".join(word.word for word in words[count:]) == new


def test_where_the_words_cannot_tell_their_times_do() -> None:
    told = [Word("it", 0.0, 0.2, 1.0), Word("is", 0.2, 0.4, 1.0)]
    again = [Word("it's", 0.0, 0.4, 1.0), Word("a", 0.5, 0.6, 1.0), Word("dog", 0.6, 1.0, 1.0)]
    assert overlap(told, again) == 1


names = st.lists(st.sampled_from(["a", "b", "c"]), max_size=8).map(" ".join)


@given(names, names)
def test_words_heard_the_same_again_are_left_out_to_the_last(told: str, new: str) -> None:
    assert overlap(spoken(told), spoken(f"{told} {new}")) == len(told.split())


@given(names.filter(bool), st.data())
def test_what_is_left_of_a_text_is_its_end_as_it_was_written(
    text: str, data: st.DataObject
) -> None:
    event = committed(f" {text}")
    count = data.draw(st.integers(0, len(event.words)))
    rest = after_words(event, count)
    assert event.text.endswith(rest.text)
    assert rest.text.split() == text.split()[count:]
    assert rest.words == event.words[count:]


def test_punctuation_that_clings_to_words_that_are_gone_goes_with_them() -> None:
    event = Committed(" so – yes", 0.0, 1.0, tuple(spoken("so yes")), "en", 0, True)
    assert after_words(event, 1).text == " – yes"
    assert after_words(event, 2).text == ""
    assert after_words(event, 0) == event
