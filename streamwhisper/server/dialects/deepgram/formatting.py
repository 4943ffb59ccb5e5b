"""How the text of a Deepgram stream is written: numbers, commands, replacements, punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamwhisper.events import Word
from streamwhisper.phrasing.interpreter import PhraseOptions
from streamwhisper.phrasing.rewriting import rewritten

__all__ = ["FEATURES", "Formatter", "FormattingOptions", "bare", "worded"]

FEATURES = (
    "punctuate",
    "smart_format",
    "numerals",
    "dictation",
    "profanity_filter",
    "filler_words",
)
"""Options that are on or off, also in the middle of a stream."""

_KEPT = "%&@#*/\\"  # punctuation by its category, but read aloud


@dataclass(frozen=True, slots=True)
class FormattingOptions:
    """How text is written.

    Attributes:
        punctuate: as Whisper writes it; otherwise in small letters without punctuation.
        smart_format: `punctuate` and `numerals`.
        numerals: numbers in digits.
        dictation: signs that are said, and new lines, become what they name.
        profanity_filter: all but the first letter of foul words is masked.
        filler_words: "um" and the like are left in.
        replace: what is written for what is said.

    Raises:
        ValueError: a replacement of too many words.
    """

    punctuate: bool = True
    smart_format: bool = False
    numerals: bool = False
    dictation: bool = False
    profanity_filter: bool = False
    filler_words: bool = True
    replace: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.phrases("en")

    @property
    def rewrites(self) -> bool:
        """Whether words may become others, which takes those around them."""
        return self != FormattingOptions(self.punctuate)

    @property
    def plain(self) -> bool:
        """Whether words are bare in the end."""
        return not (self.punctuate or self.smart_format)

    def turned(self, features: Mapping[str, bool]) -> FormattingOptions:
        """With these of the `FEATURES` on or off."""
        changes: dict[str, Any] = dict(features)
        return replace(self, **changes)

    def phrases(self, language: str | None) -> PhraseOptions:
        """The same as it is heeded in a language."""
        return PhraseOptions(
            language or "",
            punctuation=self.dictation,
            layout=self.dictation,
            casing=False,
            scratch=False,
            numbers=self.numerals or self.smart_format,
            fillers=not self.filler_words,
            profanity=self.profanity_filter,
            replace=self.replace,
        )


@dataclass(frozen=True, slots=True)
class Formatter:
    """Text as it is told, and its words."""

    transcript: str
    words: tuple[Word, ...]


def worded(
    text: str, words: Sequence[Word], options: FormattingOptions, language: str | None = None
) -> Formatter:
    """Write a piece of text.

    Args:
        text: as Whisper writes it.
        words: of it, with their times.
        language: of it; None: not known.
    """
    if options.rewrites:
        new = rewritten(text, options.phrases(language))
        text, words = new.text, _placed(new.words, text, words)
    if not options.plain:
        return Formatter(text.strip(), tuple(words))
    plain = tuple(replace(word, word=bare(word.word)) for word in words)
    return Formatter(" ".join(word.word for word in plain), plain)


def _placed(
    written: Sequence[tuple[str, int, int]], text: str, words: Sequence[Word]
) -> tuple[Word, ...]:
    """Words as they are written, with the times of those that were said for them."""
    spans, at = [], 0
    for word in words:
        at = text.index(word.word, at)
        spans.append((at, at := at + len(word.word)))
    placed = []
    for new, start, end in written:
        said = [w for w, (a, b) in zip(words, spans, strict=True) if a < end and b > start]
        if said:
            confidence = sum(word.confidence for word in said) / len(said)
            placed.append(Word(new, said[0].start, said[-1].end, confidence))
    return tuple(placed)


def bare(word: str) -> str:
    """A word in small letters, without punctuation around it."""
    kept = [index for index, sign in enumerate(word) if not _clings(sign)]
    return word[kept[0] : kept[-1] + 1].lower() if kept else word


def _clings(sign: str) -> bool:
    return sign.isspace() or (unicodedata.category(sign)[0] == "P" and sign not in _KEPT)
