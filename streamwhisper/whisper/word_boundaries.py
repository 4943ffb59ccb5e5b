"""Word boundaries: where words begin in scripts with and without spaces, and their punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["SpelledWord", "begins_word", "join_punctuation", "unspaced"]

SpelledWord = tuple[str, tuple[int, ...]]
"""Spelling of a word, with its leading space if there is one, and its tokens."""

_SPOKEN_SIGNS = frozenset("&%@#*/\\")
# Marks, modifiers (the Japanese long vowel, the Thai repetition) and joiners follow a letter.
_CLINGING = frozenset({"Mn", "Mc", "Me", "Lm", "Sk", "Cf"})
# Thai and Lao, Myanmar, East Asian signs and kana, Han, full and half width forms.
_UNSPACED_SCRIPTS = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0x3000, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFEF),
    (0x20000, 0x3FFFF),
)


def begins_word(before: str, text: str, *, by_script: bool) -> bool:
    """Return whether `text` begins a new word after `before`, by spaces and scripts."""
    if not text or not before.strip():
        return False  # special tokens, and spaces that wait for their word
    return text[0].isspace() or (by_script and _breaks(before, text[0]))


def _breaks(before: str, right: str) -> bool:
    """Return whether the character `right` can begin a word after `before` without a space."""
    if _opens(before[-1]) or unicodedata.category(right) in _CLINGING:
        return False
    if _punctuates(right) and not _opens(right):
        return False
    left = next((sign for sign in reversed(before) if not _punctuates(sign)), before[-1])
    return unspaced(left) or unspaced(right)


def join_punctuation(words: Iterable[tuple[str, list[int]]]) -> list[SpelledWord]:
    """Join separate punctuation to the word before it, or else to the next one."""
    joined: list[SpelledWord] = []
    text, tokens = "", tuple[int, ...]()
    for word, group in words:
        text, tokens = text + word, (*tokens, *group)
        signs = "".join(text.split())
        if all(map(_opens, signs)):
            continue
        if not all(map(_punctuates, signs)):
            joined.append((text, tokens))
        elif joined:
            joined[-1] = (joined[-1][0] + text, joined[-1][1] + tokens)
        else:
            continue
        text, tokens = "", ()
    if not all(map(_opens, "".join(text.split()))):
        joined.append((text, tokens))
    return joined


def _opens(sign: str) -> bool:
    return unicodedata.category(sign) in ("Ps", "Pi") or sign in "¿¡"


def _punctuates(sign: str) -> bool:
    return unicodedata.category(sign).startswith("P") and sign not in _SPOKEN_SIGNS


def unspaced(character: str) -> bool:
    """Return whether a character's script has no spaces between words."""
    return any(first <= ord(character) <= last for first, last in _UNSPACED_SCRIPTS)
