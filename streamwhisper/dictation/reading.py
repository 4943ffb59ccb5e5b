"""What words mean: commands where speech makes them plausible, replacements, numbers, fillers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from streamwhisper.dictation.numerals import read_number
from streamwhisper.dictation.page import Page, capitalized
from streamwhisper.dictation.table import Command, Table, longest_first
from streamwhisper.dictation.words import Key, Spoken

__all__ = ["PhraseOptions", "Reader", "Step"]

GROUPS = {"break": "layout", "scratch": "scratch", "once": "casing", "span": "casing"}
"""Which option a kind of command belongs to; the others are punctuation."""


@dataclass(frozen=True, slots=True)
class PhraseOptions:
    """What is made of what is said.

    Attributes:
        language: its code; one without a table has no commands, numbers and fillers.
        verbatim: leave everything as Whisper wrote it, whatever the others say.
        punctuation, layout, casing, scratch: whether those commands are heeded.
        numbers: write numbers in digits.
        fillers: leave out "um" and the like.
        profanity: mask all but the first letter of foul words.
        replace: what is to be written for what is said.
    """

    language: str = "en"
    verbatim: bool = False
    punctuation: bool = True
    layout: bool = True
    casing: bool = True
    scratch: bool = True
    numbers: bool = False
    fillers: bool = False
    profanity: bool = False
    replace: Mapping[str, str] = field(default_factory=dict)


class Step(NamedTuple):
    """How many words were dealt with, the page then, and whether text was taken back."""

    taken: int
    page: Page
    scratched: bool = False


class Reader:
    """Reads words, one step at a time, onto a page."""

    def __init__(
        self, table: Table, options: PhraseOptions, replacements: Mapping[Key, str]
    ) -> None:
        self._table = table
        self._options = options
        self._replacements = replacements

    def step(self, words: Sequence[Spoken], at: int, page: Page, *, ended: bool) -> Step:
        """What begins at a word.

        Args:
            words: of the utterance, two or more before `at` among them if they were said.
            ended: whether no more words will come.
        """
        word = words[at]
        for count, dropped in longest_first(words, at, self._table.escapes):
            if step := self._escaped(words, at, count, dropped, page):
                return step
        for count, text in longest_first(words, at, self._replacements):
            return Step(count, self._written(page, words[at : at + count], text))
        for count, command in longest_first(words, at, self._table.commands):
            if self._heeds(command) and self._plausible(command, words, at, count, page, ended):
                return self._done(command, words[at : at + count], page)
        options, table = self._options, self._table
        if options.numbers and table.numbers and (found := read_number(words, at, table.numbers)):
            count, text = found
            return Step(count, self._written(page, words[at : at + count], text))
        if options.fillers and word.key in table.fillers and not word.mentioned:
            return Step(1, page.skip(word))
        if options.profanity and word.key in table.profanity:
            masked = word.core[0] + "*" * (len(word.core) - 1)
            return Step(1, self._written(page, [word], masked))
        return Step(1, page.write(word.space, word.text, table.small))

    def _heeds(self, command: Command) -> bool:
        return bool(getattr(self._options, GROUPS.get(command.kind, "punctuation")))

    def _escaped(
        self, words: Sequence[Spoken], at: int, count: int, dropped: bool, page: Page
    ) -> Step | None:
        """A command's name that is only spoken of."""
        if words[at + count - 1].paused or self._is_noun(
            words, at, page, strict=False, followed=False
        ):
            return None
        for more, _ in longest_first(words, at + count, self._table.commands):
            first = at + count if dropped else at
            for word in words[first : at + count + more]:
                page = page.write(word.space, word.text, self._table.small)
            return Step(count + more, page)
        return None

    def _is_noun(
        self, words: Sequence[Spoken], at: int, page: Page, *, strict: bool, followed: bool
    ) -> bool:
        """Whether the words before make a noun of what begins here.

        Args:
            strict: whether to count in doubtful words.
            followed: whether another command follows.
        """
        if at == 0 or page.commanded or words[at - 1].paused:
            return False
        table, last = self._table, words[at - 1].key
        if last in table.determiners or (strict and last in table.pronouns):
            return True
        determined = at > 1 and not words[at - 2].paused and words[at - 2].key in table.determiners
        return determined and (last in table.adjectives or (strict and not followed))

    def _plausible(
        self,
        command: Command,
        words: Sequence[Spoken],
        at: int,
        count: int,
        page: Page,
        ended: bool,
    ) -> bool:
        """Whether a command was meant, and not the plain words; in doubt it was not.

        A pause before or after makes it likely. Without one it must not follow a determiner or
        a word that its name often follows, nor come before one that its name often precedes.
        """
        table = self._table
        end = at + count
        last = end == len(words)
        paused_before = at == 0 or page.commanded or words[at - 1].paused
        paused_after = words[end - 1].paused or (last and ended)
        followed = False
        if command.kind == "scratch":  # it costs most if it was not meant
            return paused_before and paused_after
        if command.kind == "once" and (paused_after or last):
            return False  # there is no word to change
        if not paused_after and not last:
            if words[end].key in command.not_before:
                return False
            followed = any(longest_first(words, end, table.commands))
        if paused_before:
            return not command.strict or paused_after or followed or (at > 0 and not last)
        if words[at - 1].key in command.not_after:
            return False
        if self._is_noun(words, at, page, strict=command.strict, followed=followed):
            return False
        return not command.strict or paused_after or followed

    def _done(self, command: Command, said: Sequence[Spoken], page: Page) -> Step:
        if command.kind == "scratch":
            return Step(len(said), page.scratch(), scratched=True)
        if command.kind == "once":
            page = replace(page, once=command.write)
        elif command.kind == "span":
            page = replace(page, span=command.write, commanded=True)
        else:
            page = page.put(command.kind, command.write, said[0], said[-1])
        return Step(len(said), page)

    def _written(self, page: Page, said: Sequence[Spoken], text: str) -> Page:
        """Something else for some words, with the punctuation and the capital that they had."""
        first, last = said[0], said[-1]
        if first.core[:1].isupper() and text == text.lower() and page.begins_sentence:
            text = capitalized(text)
        closing = last.closing.removeprefix(".") if text.endswith(".") else last.closing
        return page.write(first.space, first.opening + text + closing, self._table.small)
