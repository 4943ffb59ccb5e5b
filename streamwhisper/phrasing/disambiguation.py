"""Tells spoken commands from the same words as text: "comma", "a long period of time".

What speaks for a command is a pause beside it (Whisper writes punctuation there), the end of the
utterance, or another command; what speaks against it are the words around it. In doubt it was
not meant: a word too many is seen and can be taken back, a word that is lost is missed.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamwhisper.phrasing.language_table import Command, LanguageTable
from streamwhisper.phrasing.words import Spoken

__all__ = ["is_meant", "is_noun"]


def is_meant(
    command: Command,
    words: Sequence[Spoken],
    span: tuple[int, int],
    table: LanguageTable,
    *,
    commanded: bool,
    ended: bool,
) -> bool:
    """Return whether a command was meant.

    Args:
        words: of the utterance, and where its name begins and ends among them.
        commanded: whether a command comes right before it.
        ended: whether no more words will come.
    """
    at, end = span
    last = end == len(words)
    begins = at == 0 or commanded
    pause_before = begins or words[at - 1].paused
    pause_after = words[end - 1].paused or (last and ended)
    if command.kind == "scratch":  # a wrong one costs most
        return pause_before and pause_after
    if command.kind == "once" and (pause_after or last):
        return False  # no word to change
    sign = command.kind in ("mark", "link", "free", "break")
    if not pause_after and not last:
        if words[end].key in command.not_before:
            return False
        if sign and words[end].key in table.nouns.followers:
            return False
        pause_after = bool(table.commands.at(words, end))
    if pause_before:
        return pause_after or not command.strict or (not begins and not last)
    before = words[at - 1].key
    if before in command.not_after or is_noun(words, at, table):
        return False
    if sign and before in table.nouns.prepositions:
        return False
    return not command.strict or (pause_after and not _is_likely_noun(command, words, at, table))


def is_noun(words: Sequence[Spoken], at: int, table: LanguageTable) -> bool:
    """Return whether a determiner or genitive precedes, possibly with an adjective between."""
    if at == 0 or words[at - 1].paused:
        return False
    before = words[at - 1].key
    if before in table.nouns.determiners or (before and before[-1].endswith("'s")):
        return True
    return before in table.nouns.adjectives and is_noun(words, at - 1, table)


def _is_likely_noun(
    command: Command, words: Sequence[Spoken], at: int, table: LanguageTable
) -> bool:
    """Return whether the words before make a strict command doubtful.

    That is "this", or a determiner and what may be an adjective or a name: "a two-week period",
    "the Meiji period", "within the timeout period".
    """
    before = words[at - 1]
    if before.key in table.nouns.pronouns:
        return True
    if at < 2 or words[at - 2].paused:
        return False
    described = (
        before.core[:1].isupper()
        or len(before.key) > 1
        or before.core.casefold().endswith(command.endings)
        or (at > 2 and words[at - 3].key in table.nouns.spans)
    )
    return described and (
        words[at - 2].key in table.nouns.pronouns or is_noun(words, at - 1, table)
    )
