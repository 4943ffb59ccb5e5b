"""Formatting of Deepgram transcripts: numbers, dictated punctuation, replacements, casing."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamwhisper.events import Word
from streamwhisper.phrasing.interpreter import PhraseOptions
from streamwhisper.phrasing.rewriting import rewritten
from streamwhisper.typography import without_leading_stops

__all__ = ["FEATURES", "FormattedText", "FormattingOptions", "bare", "format_text"]

FEATURES = (
    "punctuate",
    "smart_format",
    "numerals",
    "dictation",
    "profanity_filter",
    "filler_words",
)
"""Options that a client can switch, also during a stream."""

_KEPT = "%&@#*/\\"  # punctuation by its Unicode category, but pronounced


@dataclass(frozen=True, slots=True)
class FormattingOptions:
    """Options of formatted text.

    Attributes:
        punctuate: keep Whisper's punctuation and casing; False: lower case without punctuation.
        smart_format: same as `punctuate` and `numerals`.
        numerals: write numbers in digits.
        dictation: replace spoken punctuation and line breaks by their signs.
        profanity_filter: mask all but the first letter of profanity.
        filler_words: keep filler words, e.g. "um".
        replace: written forms by their spoken forms.

    Raises:
        ValueError: a replacement has too many words.
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
        """True if formatting may change words, which needs their context."""
        return self != FormattingOptions(self.punctuate)

    @property
    def plain(self) -> bool:
        """True if the text is lower case without punctuation."""
        return not (self.punctuate or self.smart_format)

    def turned(self, features: Mapping[str, bool]) -> FormattingOptions:
        """Return the options with some of the `FEATURES` switched."""
        changes: dict[str, Any] = dict(features)
        return replace(self, **changes)

    def phrases(self, language: str | None) -> PhraseOptions:
        """Return the options of the phrase interpreter for a language."""
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
class FormattedText:
    """Formatted text, and its words."""

    transcript: str
    words: tuple[Word, ...]


def format_text(
    text: str, words: Sequence[Word], options: FormattingOptions, language: str | None = None
) -> FormattedText:
    """Format a piece of text.

    Args:
        text: the text as Whisper writes it.
        words: its words, with their times.
        options: formatting options.
        language: language code of the text; None: unknown.
    """
    text = without_leading_stops(text)
    if options.rewrites:
        new = rewritten(text, options.phrases(language))
        text, words = new.text, _timed(new.words, text, words)
    if not options.plain:
        return FormattedText(text.strip(), tuple(words))
    plain = tuple(replace(word, word=bare(word.word)) for word in words)
    return FormattedText(" ".join(word.word for word in plain), plain)


def _timed(
    written: Sequence[tuple[str, int, int]], text: str, words: Sequence[Word]
) -> tuple[Word, ...]:
    """Return the written words with the times of the spoken words that they replace."""
    spans, at = [], 0
    for word in words:
        at = text.index(word.word, at)
        spans.append((at, at := at + len(word.word)))
    placed = []
    for new, start, end in written:
        spoken = [w for w, (a, b) in zip(words, spans, strict=True) if a < end and b > start]
        if spoken:
            confidence = sum(word.confidence for word in spoken) / len(spoken)
            placed.append(Word(new, spoken[0].start, spoken[-1].end, confidence))
    return tuple(placed)


def bare(word: str) -> str:
    """Return a word in lower case without the punctuation around it."""
    kept = [index for index, sign in enumerate(word) if not _is_punctuation(sign)]
    return word[kept[0] : kept[-1] + 1].lower() if kept else word


def _is_punctuation(sign: str) -> bool:
    return sign.isspace() or (unicodedata.category(sign)[0] == "P" and sign not in _KEPT)
