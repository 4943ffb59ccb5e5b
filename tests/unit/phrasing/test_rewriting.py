"""Whole pieces of text, and what each written word stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.phrasing.interpreter import PhraseOptions
from streamwhisper.phrasing.phrases import Phrases
from streamwhisper.phrasing.rewriting import rewritten

NUMBERS = PhraseOptions(numbers=True)
COMMANDS = ("comma", "new", "line", "full", "stop", "Period.")
SPOKEN = ("twenty", "five", "um", "first,", "the", "point.", "one", "hundred", "and", *COMMANDS)


@pytest.mark.parametrize(
    ("text", "options", "written"),
    [
        (" I have twenty-five apples.", NUMBERS, " I have 25 apples."),
        (" Dear Ada, comma, I am here.", PhraseOptions(), " Dear Ada, I am here."),
        (" One. New line. Two.", PhraseOptions(), " One.\nTwo."),
        (" ask chat GPT now", PhraseOptions(replace={"chat gpt": "ChatGPT"}), " ask ChatGPT now"),
        ("", NUMBERS, ""),
        (" 彼は言った。", NUMBERS, " 彼は言った。"),
    ],
)
def test_text_is_written_as_one_would_have_it(
    text: str, options: PhraseOptions, written: str
) -> None:
    assert rewritten(text, options).text == written


def test_each_word_stands_for_what_was_said() -> None:
    text = " I have twenty-five thousand, comma, apples."
    said = {word: text[start:end] for word, start, end in rewritten(text, NUMBERS).words}
    assert said == {
        "I": " I",
        "have": " have",
        "25,000,": " twenty-five thousand,",
        "apples.": " apples.",
    }


@given(st.lists(st.sampled_from(SPOKEN), max_size=12))
def test_the_words_are_the_text_and_stand_in_order(words: list[str]) -> None:
    text = "".join(f" {word}" for word in words)
    options = PhraseOptions(numbers=True, fillers=True, scratch=False, casing=False)
    new = rewritten(text, options)
    assert [word for word, _, _ in new.words] == new.text.split()
    bounds = [(start, end) for _, start, end in new.words]
    assert all(0 <= start < end <= len(text) for start, end in bounds)
    assert bounds == sorted(bounds)


@given(st.lists(st.sampled_from(SPOKEN), max_size=12))
def test_the_text_is_what_would_be_put_out_word_by_word(words: list[str]) -> None:
    text = "".join(f" {word}" for word in words)
    options = PhraseOptions(numbers=True, scratch=False)
    phrases, shown = Phrases(options), ""
    for edit in [*phrases.apply(text), *phrases.end()]:
        shown = shown[: len(shown) - edit.erase] + edit.text
    assert rewritten(text, options).text == shown
