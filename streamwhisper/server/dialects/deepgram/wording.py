"""How the text of a Deepgram stream is written: with punctuation, or bare."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamwhisper.events import Word

__all__ = ["FEATURES", "Wording", "WordingOptions", "bare", "worded"]

FEATURES = ("punctuate",)
"""Options that are on or off, also in the middle of a stream."""

_KEPT = "%&@#*/\\"  # punctuation by its category, but read aloud


@dataclass(frozen=True, slots=True)
class WordingOptions:
    """How text is written.

    Attributes:
        punctuate: as Whisper writes it; otherwise in small letters without punctuation.
        replace: what is written for what is said.
    """

    punctuate: bool = True
    replace: Mapping[str, str] = field(default_factory=dict)

    def turned(self, features: Mapping[str, bool]) -> WordingOptions:
        """With these of the `FEATURES` on or off."""
        changes: dict[str, Any] = dict(features)
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Wording:
    """Text as it is told, and its words."""

    transcript: str
    words: tuple[Word, ...]


def worded(text: str, words: Sequence[Word], options: WordingOptions) -> Wording:
    """Write a piece of text.

    Args:
        text: as Whisper writes it.
        words: of it, with their times.
    """
    if options.punctuate:
        return Wording(text.strip(), tuple(words))
    plain = tuple(replace(word, word=bare(word.word)) for word in words)
    return Wording(" ".join(word.word for word in plain), plain)


def bare(word: str) -> str:
    """A word in small letters, without punctuation around it."""
    kept = [index for index, sign in enumerate(word) if not _clings(sign)]
    return word[kept[0] : kept[-1] + 1].lower() if kept else word


def _clings(sign: str) -> bool:
    return sign.isspace() or (unicodedata.category(sign)[0] == "P" and sign not in _KEPT)
