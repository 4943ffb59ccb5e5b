"""Where text that is heard a second time goes beyond what was told before."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.events import Committed, Word

__all__ = ["after_words", "overlap"]


def overlap(told: Sequence[Word], again: Sequence[Word]) -> int:
    """How many of the words `again` are those that were `told`, heard a second time.

    A word may be heard otherwise, or not at all, the second time: it is the number for which the
    fewest words have to be changed, added or left out (Levenshtein); where several are as good,
    the one whose last word ends where the told ones end.
    """
    if not told:
        return 0
    wanted = [_plain(word) for word in told]
    costs = list(range(len(again) + 1))  # of making the first k words out of none
    for count, word in enumerate(wanted, 1):
        diagonal, costs[0] = costs[0], count
        for k, other in enumerate(again, 1):
            changed = diagonal + (word != _plain(other))
            diagonal = costs[k]
            costs[k] = min(changed, costs[k] + 1, costs[k - 1] + 1)
    ends = [told[0].start, *(word.end for word in again)]
    return min(
        range(len(again) + 1),
        key=lambda k: costs[k] + min(1.0, abs(ends[k] - told[-1].end)),
    )


def after_words(event: Committed, count: int) -> Committed:
    """The event without its first `count` words, of which it has as many."""
    if count == 0:
        return event
    words = event.words[count:]
    if not words:  # what is left of the text clings to words that are gone
        return replace(event, text="", words=(), start=event.end)
    at = 0
    for word in event.words[:count]:
        at = event.text.find(word.word, at) + len(word.word)
    return replace(event, text=event.text[at:], words=words, start=words[0].start)


def _plain(word: Word) -> str:
    folded = unicodedata.normalize("NFKC", word.word).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "PZ")
