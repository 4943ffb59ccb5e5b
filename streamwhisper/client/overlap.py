"""Overlap of two transcripts of the same audio: which words are new in the second one."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.events import Committed, Word

__all__ = ["after_words", "overlap"]


def overlap(known: Sequence[Word], again: Sequence[Word]) -> int:
    """Return how many leading words of `again` repeat the `known` words.

    The second transcript may differ. The result is the number of words with the smallest edit
    distance (Levenshtein) to the known ones; among equals, the number whose last word ends
    closest to the end of the known ones.

    Args:
        known: words of the first transcript.
        again: words of the second transcript of the same audio, and of audio after it.
    """
    if not known:
        return 0
    wanted = [_plain(word) for word in known]
    costs = list(range(len(again) + 1))  # of building the first k words from none
    for count, word in enumerate(wanted, 1):
        diagonal, costs[0] = costs[0], count
        for k, other in enumerate(again, 1):
            changed = diagonal + (word != _plain(other))
            diagonal = costs[k]
            costs[k] = min(changed, costs[k] + 1, costs[k - 1] + 1)
    ends = [known[0].start, *(word.end for word in again)]
    return min(
        range(len(again) + 1),
        key=lambda k: costs[k] + min(1.0, abs(ends[k] - known[-1].end)),
    )


def after_words(event: Committed, count: int) -> Committed:
    """Return the event without its first `count` words; it has at least as many."""
    if count == 0:
        return event
    words = event.words[count:]
    if not words:  # the remaining text is punctuation of removed words
        return replace(event, text="", words=(), start=event.end)
    at = 0
    for word in event.words[:count]:
        at = event.text.find(word.word, at) + len(word.word)
    return replace(event, text=event.text[at:], words=words, start=words[0].start)


def _plain(word: Word) -> str:
    folded = unicodedata.normalize("NFKC", word.word).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "PZ")
