"""Texts of sound that overlaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.transcription.stitching import stitch
from streamwhisper.whisper.tokenizer import get_tokenizer

TOKENIZER = get_tokenizer(51864)
WORDS = [
    "the",
    "wizard",
    "had",
    "vanished",
    "behind",
    "a",
    "curtain",
    "when",
    "nobody",
    "saw",
    "him",
]


def joined(left: str, right: str) -> str:
    one, other = TOKENIZER.encode(left), TOKENIZER.encode(right)
    end, start = stitch(TOKENIZER, one, other)
    return TOKENIZER.decode([*one[:end], *other[start:]])


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        # Words at the edges of the sound are heard badly, and given up.
        (
            " he gave way to the others very red",
            " stay to the others, very readily and left.",
            " he gave way to the others, very readily and left.",
        ),
        (" and so it was. Then he", " It was then he left.", " and so it was. then he left."),
        (" nothing in common", " with what follows", " nothing in common with what follows"),
        ("", " a beginning", " a beginning"),
        (" an end", "", " an end"),
        (" all of it", " all of it", " all of it"),
    ],
)
def test_what_both_have_comes_once(left, right, whole):
    assert joined(left, right) == whole


@given(st.permutations(WORDS), st.integers(0, 7), st.integers(2, 8))
def test_a_text_that_was_cut_with_an_overlap_is_whole_again(words, start, overlap):
    end = min(len(words), start + overlap)
    if end - start < 2:
        return
    left, right = "".join(f" {w}" for w in words[:end]), "".join(f" {w}" for w in words[start:])
    assert joined(left, right) == "".join(f" {word}" for word in words)


def test_timestamps_between_words_do_not_hinder_it():
    begin = TOKENIZER.timestamp_begin
    left = [begin, *TOKENIZER.encode(" one two three four"), begin + 100]
    right = [begin, *TOKENIZER.encode(" three four five"), begin + 50]
    end, start = stitch(TOKENIZER, left, right)
    assert TOKENIZER.decode([*left[:end], *right[start:]]) == " one two three four five"
