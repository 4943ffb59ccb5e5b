"""Words as Whisper writes them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.phrasing.words import key_of, split_words


@given(st.text())
def test_words_and_spaces_are_the_text_they_came_from(text: str) -> None:
    words, space = split_words(text)
    assert "".join(word.space + word.text for word in words) + space == text


def test_a_word_has_its_punctuation_beside_it() -> None:
    (word,), _ = split_words(" “Twenty-One,”")
    assert (word.space, word.opening, word.core, word.closing) == (" ", "“", "Twenty-One", ",”")
    assert word.key == ("twenty", "one")
    assert word.paused
    assert word.mentioned


def test_a_dash_that_stands_alone_is_no_word() -> None:
    (word,), space = split_words("— ")
    assert (word.core, word.key, word.text, space) == ("", (), "—", " ")


def test_case_hyphens_full_stops_and_apostrophes_do_not_matter() -> None:
    assert key_of("P.M. O’Clock new-line") == ("pm", "o'clock", "new", "line")
