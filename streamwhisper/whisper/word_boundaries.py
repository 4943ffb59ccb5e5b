"""Word boundaries: where words begin in scripts with and without spaces, and their punctuation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamwhisper.typography import clings, holds_next, is_mark, opens, punctuates, unspaced

__all__ = ["SpelledWord", "begins_word", "word_runs"]

SpelledWord = tuple[str, tuple[int, ...]]
"""Spelling of a word, with its leading space if there is one, and its tokens."""


def begins_word(before: str, text: str) -> bool:
    """Return whether `text` begins a new word after `before`, by spaces and scripts.

    Args:
        before: the word so far, with the signs around it.
        text: whole characters after it.
    """
    if not text or not before.strip():
        return False  # special tokens, and spaces that wait for their word
    if is_mark(text.lstrip()[:1] or " "):
        return False  # even after a space
    return text[0].isspace() or _breaks(before, text[0])


def word_runs(texts: Sequence[str]) -> list[range]:
    """Group pieces of a text into words: the pieces of each word, in order.

    A word begins at a space. In scripts without spaces (Chinese, Japanese, Thai, Lao, Burmese,
    Khmer, Tibetan) it begins at each piece, if the piece begins with a character that can begin
    a word. Separate punctuation belongs to the word before it, opening punctuation to the word
    after it.

    Args:
        texts: whole characters each; pieces without text belong to a neighbour.

    Returns:
        the words. Together they cover the first n pieces; the rest waits for its word.
    """
    words: list[tuple[str, int]] = []  # text, and the piece after it
    for end, piece in enumerate(texts, start=1):
        if words and not begins_word(words[-1][0], piece):
            words[-1] = (words[-1][0] + piece, end)
        else:
            words.append((piece, end))
    return _with_punctuation(words)


def _with_punctuation(words: Iterable[tuple[str, int]]) -> list[range]:
    """Join separate punctuation to the word before it, or else to the next one."""
    runs: list[range] = []
    first, end, text = 0, 0, ""
    for word, end in words:
        text += word
        signs = "".join(text.split())
        if all(map(opens, signs)):
            continue
        if runs and (all(map(punctuates, signs)) or is_mark(signs[0])):
            runs[-1] = range(runs[-1].start, end)
        elif all(map(punctuates, signs)):
            continue
        else:
            runs.append(range(first, end))
        first, text = end, ""
    if not all(map(opens, "".join(text.split()))):
        runs.append(range(first, end))
    return runs


def _breaks(before: str, right: str) -> bool:
    """Return whether the character `right` can begin a word after `before` without a space."""
    if holds_next(before[-1]) or clings(right) or (punctuates(right) and not opens(right)):
        return False
    left = next((sign for sign in reversed(before) if not punctuates(sign)), before[-1])
    return unspaced(left) or unspaced(right)
