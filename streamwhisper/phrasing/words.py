"""Words as Whisper writes them, with adjacent punctuation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from streamwhisper.typography import PAUSES, SENTENCE_ENDS

__all__ = ["BORDERS", "Key", "Spoken", "key_of", "keyed", "split_words"]

Key = tuple[str, ...]
T = TypeVar("T")

BORDERS = PAUSES + SENTENCE_ENDS
"""Marks that may stand for a pause."""

_WORD = re.compile(r"(\s*)(\S+)")
_PARTS = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word.

    Attributes:
        space: what stands between it and the word before.
        opening: punctuation before it.
        core: the word itself; empty for a dash that stands alone.
        closing: punctuation after it.
        key: what it is looked up by; more than one part where it has hyphens.
    """

    space: str
    opening: str
    core: str
    closing: str
    key: Key

    @property
    def text(self) -> str:
        """The word with its punctuation."""
        return self.opening + self.core + self.closing

    @property
    def paused(self) -> bool:
        """True if Whisper wrote a pause after the word."""
        return any(sign in BORDERS for sign in self.closing)

    @property
    def mentioned(self) -> bool:
        """True if the word is in quotes or brackets and so is not a command."""
        return bool(self.opening) or any(sign not in BORDERS for sign in self.closing)


def split_words(text: str) -> tuple[list[Spoken], str]:
    """Split a text into words and the white space after the last one."""
    words = []
    end = 0
    for found in _WORD.finditer(text):
        parts = _PARTS.fullmatch(found[2])
        assert parts is not None  # it matches any text
        words.append(Spoken(found[1], parts[1], parts[2], parts[3], key_of(parts[2])))
        end = found.end()
    return words, text[end:]


def key_of(words: str) -> Key:
    """Return the lookup key of words: no case, hyphens, full stops or typographic signs."""
    plain = words.casefold().replace("’", "'").replace(".", "").replace("-", " ")
    return tuple(plain.split())


def keyed(words: Mapping[str, T]) -> dict[Key, T]:
    """Return the mapping with keys made by `key_of`."""
    return {key_of(said): meant for said, meant in words.items()}
