"""Meaning of words: commands where they are plausible, replacements, numbers, fillers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from streamwhisper.phrasing.disambiguation import is_meant, is_noun
from streamwhisper.phrasing.language_table import LONGEST, Command, LanguageTable, Named
from streamwhisper.phrasing.numerals import WORDS, read_number
from streamwhisper.phrasing.text_buffer import TextBuffer, capitalized
from streamwhisper.phrasing.words import Spoken, key_of, keyed

__all__ = ["InterpretedStep", "Interpreter", "PhraseOptions"]

GROUPS = {"break": "layout", "scratch": "scratch", "once": "casing", "span": "casing"}
"""Option that enables a kind of command; other kinds are punctuation."""


@dataclass(frozen=True, slots=True)
class PhraseOptions:
    """Options of rewriting dictated text.

    Attributes:
        language: its code; one without a table has no commands, numbers and fillers.
        verbatim: leave everything as Whisper wrote it, whatever the others say.
        punctuation, layout, casing, scratch: whether those commands are heeded.
        numbers: write numbers in digits.
        fillers: leave out "um" and the like.
        profanity: mask all but the first letter of foul words.
        replace: what is to be written for what is said, which is one to `LONGEST` words.
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

    def __post_init__(self) -> None:
        for said in self.replace:
            if not 1 <= (count := len(key_of(said))) <= LONGEST:
                raise ValueError(
                    f"the replacement of {said!r} is for {count} words; expected 1 to {LONGEST}"
                )


class InterpretedStep(NamedTuple):
    """Number of processed words, the text buffer after them, and whether text was removed."""

    taken: int
    page: TextBuffer
    scratched: bool = False


class Interpreter:
    """Interpreter that writes words to a text buffer, one step at a time."""

    def __init__(self, table: LanguageTable, options: PhraseOptions) -> None:
        heeded = {
            name: command
            for name, command in table.commands.things.items()
            if getattr(options, GROUPS.get(command.kind, "punctuation"))
        }
        self._table = replace(table, commands=Named(heeded))
        self._options = options
        self._replacements = Named(keyed(options.replace))

    @property
    def ahead(self) -> int:
        """Return the words that affect the meaning of a word, itself included."""
        commands = self._table.commands.longest
        phrases = self._table.escapes.longest + commands, self._replacements.longest
        return max(*phrases, WORDS * self._options.numbers) + commands + 1

    def step(
        self, words: Sequence[Spoken], at: int, page: TextBuffer, *, ended: bool
    ) -> InterpretedStep:
        """Interpret the words from a position on.

        Args:
            words: of the utterance, the last before `at` among them.
            ended: whether no more words will come.
        """
        options, table, word = self._options, self._table, words[at]
        for count, dropped in table.escapes.at(words, at):
            if step := self._escaped(words, at, count, dropped, page):
                return step
        for count, text in self._replacements.at(words, at):
            return InterpretedStep(count, self._written(page, words[at : at + count], text))
        for count, command in table.commands.at(words, at):
            span = (at, at + count)
            if is_meant(command, words, span, table, commanded=page.commanded, ended=ended):
                return self._done(command, words[at : at + count], page)
        if options.numbers and table.numbers and (found := read_number(words, at, table.numbers)):
            count, number = found
            said = words[at : at + count]
            if number is not None:
                return InterpretedStep(count, self._written(page, said, number))
            for word in said:
                page = page.write(word.space, word.text, table.small)
            return InterpretedStep(count, page)
        if options.fillers and word.key in table.fillers and not word.mentioned:
            return InterpretedStep(1, page.skip(word))
        if options.profanity and word.key in table.profanity:
            masked = word.core[0] + "*" * (len(word.core) - 1)
            return InterpretedStep(1, self._written(page, [word], masked))
        return InterpretedStep(1, page.write(word.space, word.text, table.small))

    def _escaped(
        self, words: Sequence[Spoken], at: int, count: int, dropped: bool, page: TextBuffer
    ) -> InterpretedStep | None:
        """Return the step for a command's name that is plain text."""
        if words[at + count - 1].paused or (not page.commanded and is_noun(words, at, self._table)):
            return None
        for more, _ in self._table.commands.at(words, at + count):
            first = at + count if dropped else at
            for word in words[first : at + count + more]:
                page = page.write(word.space, word.text, self._table.small)
            return InterpretedStep(count + more, page)
        return None

    def _done(self, command: Command, said: Sequence[Spoken], page: TextBuffer) -> InterpretedStep:
        if command.kind == "scratch":
            return InterpretedStep(len(said), page.scratch(), scratched=True)
        if command.kind == "once":
            page = replace(page, once=command.write)
        elif command.kind == "span":
            page = replace(page, span=command.write, commanded=True)
        else:
            page = page.put(command.kind, command.write, said[0], said[-1])
        return InterpretedStep(len(said), page)

    def _written(self, page: TextBuffer, said: Sequence[Spoken], text: str) -> TextBuffer:
        """Something else for some words, with the punctuation and the capital that they had."""
        first, last = said[0], said[-1]
        if first.core[:1].isupper() and text == text.lower() and page.begins_sentence:
            text = capitalized(text)
        closing = last.closing.removeprefix(".") if text.endswith(".") else last.closing
        return page.write(first.space, first.opening + text + closing, self._table.small)
