"""Joins the texts of two chunks that overlap."""

from __future__ import annotations

from collections.abc import Sequence

from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["stitch"]

MOST_WORDS = 40
"""Words compared on each side of the joint; more than are spoken in ten seconds."""


def stitch(tokenizer: Tokenizer, left: Sequence[int], right: Sequence[int]) -> tuple[int, int]:
    """Find where one text ends and the next one begins, so that no word is repeated.

    The end of `left` is aligned with the beginning of `right` where most words agree, apart from
    case and punctuation. Half of the common words is taken from each side, because recognition is
    worst at the edges of the audio. If no two words agree, nothing is cut.

    Args:
        tokenizer: splits tokens into words.
        left, right: tokens of the texts, which may include timestamps.

    Returns:
        the number of tokens of `left` to keep, and the first token of `right` to keep.
    """
    before, after = (_words(tokenizer, tokens) for tokens in (left, right))
    ending, beginning = before[-MOST_WORDS:], after[:MOST_WORDS]
    best, kept_out, begun = 0.0, 0, 0
    for offset in range(len(ending) if beginning else 0):
        # Word i of the ending lies over word i - offset of the beginning.
        over = range(offset, min(len(ending), offset + len(beginning)))
        equal = sum(ending[i][0] == beginning[i - offset][0] != "" for i in over)
        score = equal / len(over) + len(over) * 1e-3
        if equal >= 2 and score > best:
            middle = (over.start + over.stop) // 2
            best, kept_out, begun = score, len(ending) - middle, middle - offset
    if not best:
        return len(left), 0
    end = before[len(before) - kept_out][1] if kept_out else len(left)
    start = after[begun][1] if begun < len(after) else len(right)
    return end, start


def _words(tokenizer: Tokenizer, tokens: Sequence[int]) -> list[tuple[str, int]]:
    """Return the letters and digits of each word, and the index of its first token."""
    text = [index for index, token in enumerate(tokens) if token < tokenizer.eot]
    words, first = [], 0
    for word, own in tokenizer.split_words([tokens[i] for i in text]):
        words.append(("".join(filter(str.isalnum, word.lower())), text[first]))
        first += len(own)
    return words
