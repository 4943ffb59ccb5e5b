"""Recent output that may still change: spacing, capitals, and text that can be removed again.

A `TextBuffer` is a value: to put something on it makes a new one, and two of them make an `Edit`.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Literal

from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.words import BORDERS, Spoken
from streamwhisper.typography import PAUSES, SENTENCE_ENDS, ends_sentence

__all__ = ["Kind", "TextBuffer", "edit_between"]

Kind = Literal["stop", "mark", "open", "close", "link", "free", "break"]
"""Spacing of signs among words.

- ``stop``: at the word before; a sentence begins after it (full stop).
- ``mark``: at the word before; the sentence goes on (comma).
- ``open``, ``close``: at the word after, at the word before (quotes, brackets).
- ``link``: at both (hyphen).
- ``free``: at neither (dash).
- ``break``: white space of its own (new line).
"""

# What Whisper writes for the pause before a sign that is said, which takes its place; where a
# sentence may well end before the sign, only what does not end one.
REPLACED = {"stop": BORDERS, "mark": BORDERS, "link": BORDERS, "open": ""}

REMEMBERED = 4000
"""Maximum number of characters that are remembered for edits."""
AROUND = 32
"""Characters remembered from before an utterance."""
UTTERANCES = 32
"""Maximum number of utterances that can be erased one after the other."""


@dataclass(frozen=True, slots=True)
class TextBuffer:
    """Text, and how what comes next is to be written.

    Attributes:
        text: the end of what stands.
        start: how many characters stand before `text`.
        case: of the next word's first letter; "lower" holds for small words alone, since a
            capital may be a name's.
        joined: whether the next word follows without a space.
        commanded: whether the last thing said was a command.
        span: the casing of all words from here on: "upper", "lower", "title", or empty.
        once: the casing of the next word.
        earlier: the page as it was before each of the last utterances, the present one last.
    """

    text: str = ""
    start: int = 0
    case: Literal["", "upper", "lower"] = ""
    joined: bool = False
    commanded: bool = False
    span: str = ""
    once: str = ""
    earlier: tuple[TextBuffer, ...] = ()

    @property
    def end(self) -> int:
        """Return the total number of characters."""
        return self.start + len(self.text)

    def cut(self, length: int) -> TextBuffer:
        """The same with no more than the last `length` characters."""
        more = max(len(self.text) - length, 0)
        return replace(self, text=self.text[more:], start=self.start + more)

    def begin(self) -> TextBuffer:
        """Begin an utterance, which can be erased."""
        before = replace(self.cut(AROUND), earlier=())
        return replace(self, earlier=(*self.earlier, before)[-UTTERANCES:])

    def write(self, space: str, text: str, small: Set[str] = frozenset()) -> TextBuffer:
        """Put out a word with its punctuation.

        Args:
            space: white space before it, unless there is no place for any.
            small: words that have no capital of their own.
        """
        casing = self.once or self.span
        if casing == "upper":
            text = text.upper()
        elif casing == "lower":
            text = text.lower()
        elif casing == "title" or self.case == "upper":
            text = capitalized(text)
        elif self.case == "lower" and text.rstrip(BORDERS).lower() in small:
            text = text.lower()
        if self.joined or self.text.endswith("\n"):
            space = ""
        return self._with(self.text + space + text)

    def put(self, kind: Kind, signs: str, first: Spoken, last: Spoken) -> TextBuffer:
        """Put out a sign that was said.

        Args:
            first: the first word of its name; `last`: the last one.
        """
        text = self.text
        if not self.commanded:  # spoken signs stay
            text = text.rstrip(REPLACED.get(kind, PAUSES))
        space = first.space if kind in ("open", "free") else ""
        if self.joined or text.endswith("\n"):
            space = ""
        page = self._with(text + space + signs)
        if kind == "close":  # what Whisper wrote after it belongs to the sentence around it
            ended = text.endswith(tuple(SENTENCE_ENDS))
            closing = "" if ended else last.closing
            return replace(page, text=page.text + closing, commanded=not closing)
        case = self.case
        if kind in ("stop", "break"):
            case = "upper"
        elif kind != "open":
            case = "lower"
        elif self.begins_sentence and first.core[:1].isupper():
            case = "upper"
        joined = kind in ("open", "link", "break")
        return replace(page, case=case, joined=joined, commanded=True)

    def skip(self, word: Spoken) -> TextBuffer:
        """Omit a word and the pauses around it."""
        text = self.text
        if word.closing and not self.commanded:
            text = text.rstrip(PAUSES)
            if (
                text
                and not text.endswith(tuple(SENTENCE_ENDS))
                and word.closing[-1] in SENTENCE_ENDS
            ):
                text += word.closing
        case = self.case
        if self.begins_sentence and word.core[:1].isupper():
            case = "upper"
        return replace(self, text=text, case=case)

    def scratch(self) -> TextBuffer:
        """Erase the utterance, or the previous one if it is empty."""
        earlier = self.earlier
        while earlier and self._is_at(earlier[-1]):
            earlier = earlier[:-1]
        page = replace(earlier[-1], earlier=earlier) if earlier else self
        return replace(page, commanded=True)

    @property
    def begins_sentence(self) -> bool:
        """True if the next word begins a sentence."""
        text = self.text.rstrip()
        begun = bool(self.earlier) and self._is_at(self.earlier[-1])
        return begun or not text or ends_sentence(text)

    def _is_at(self, other: TextBuffer) -> bool:
        return self.end == other.end and self.text.endswith(other.text[-len(self.text) :])

    def _with(self, text: str) -> TextBuffer:
        return replace(self, text=text, case="", joined=False, commanded=False, once="")


def edit_between(old: TextBuffer, new: TextBuffer) -> tuple[Edit, ...]:
    """Return the edit that turns `old` into `new`: one edit, or none."""
    known = new.start - old.start
    if known < 0:  # more was taken back than is remembered
        return (Edit(old.end - new.start, new.text),)
    was = old.text[known:]
    same = _alike(was, new.text)
    if same == len(was) == len(new.text):
        return ()
    return (Edit(len(was) - same, new.text[same:]),)


def _alike(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    pairs = zip(one, other, strict=False)
    unlike = (index for index, (a, b) in enumerate(pairs) if a != b)
    return next(unlike, min(len(one), len(other)))


def capitalized(text: str) -> str:
    """Return the text with its first letter in upper case."""
    for index, sign in enumerate(text):
        if sign.isalnum():
            return text[:index] + sign.upper() + text[index + 1 :]
    return text
