"""Repeated words: phrases that a text writes twice in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["extra_repeats", "repeats"]

LONGEST = 8
"""Words of the longest phrase that is searched for."""


def repeats(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Count the phrases of up to `LONGEST` words that stand twice in a row; the longest first."""
    found = Counter[tuple[str, ...]]()
    place = 0
    while place < len(words):
        for length in range(LONGEST, 0, -1):
            phrase = tuple(words[place : place + length])
            if len(phrase) == length and phrase == tuple(words[place + length :][:length]):
                found[phrase] += 1
                place += length
                break
        else:
            place += 1
    return found


def extra_repeats(words: Sequence[str], *others: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Return the repeated phrases of a text that none of the other texts repeats as often."""
    known = Counter[tuple[str, ...]]()
    for other in others:
        known |= repeats(other)
    return repeats(words) - known
