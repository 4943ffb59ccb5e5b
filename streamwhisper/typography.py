"""Facts about writing systems: sentence ends, closing signs, widths, scripts without spaces."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from rich.cells import cell_len

__all__ = [
    "CALLS",
    "ELLIPSIS",
    "FULL_STOPS",
    "PAUSES",
    "SENTENCE_ENDS",
    "clings",
    "columns",
    "ends_sentence",
    "holds_next",
    "is_mark",
    "may_begin_line",
    "opens",
    "punctuates",
    "unspaced",
    "without_closers",
    "without_leading_stops",
]

FULL_STOPS = (
    "."
    "\u3002\uff0e\uff61"  # CJK
    "\u0964\u0965"  # dandas of Hindi and its neighbours
    "\u06d4"  # Urdu
    "\u0589"  # Armenian
    "\u1362\u1368"  # Ethiopic
    "\u104b"  # Burmese
    "\u17d4\u17d5"  # Khmer
    "\u0f0d\u0f0e"  # Tibetan
    "\u1803\u1809"  # Mongolian
    "\u0df4"  # Sinhala
    "\u0700\u0701\u0702"  # Syriac
)
"""Signs that end a statement."""
CALLS = "?!\uff1f\uff01\u061f\u203c\u2047\u2048\u2049\u1367\u037e"
"""Signs that end a question or an exclamation."""
ELLIPSIS = "\u2026"
SENTENCE_ENDS = FULL_STOPS + CALLS + ELLIPSIS
"""Signs that may end a sentence."""
PAUSES = (
    ",;:"
    "\u3001\uff0c\uff1b\uff1a\uff64"  # CJK
    "\u060c\u061b"  # Arabic
    "\u104a"  # Burmese
    "\u1363\u1364\u1365"  # Ethiopic
    "\u055d"  # Armenian
)
"""Signs of a pause within a sentence."""

_SPOKEN_SIGNS = frozenset("&%@#*/\\")
# Modifiers (the Japanese long vowel, the Thai repetition) and joiners follow a letter.
_CLINGING = frozenset({"Mn", "Mc", "Me", "Lm", "Sk", "Cf"})
# Vowels of Thai and Lao that are written after their consonant; small kana.
_FOLLOWING = frozenset(
    "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ\uff67\uff68\uff69\uff6a\uff6b\uff6c\uff6d\uff6e\uff6f"
)
# Vowels of Thai and Lao that are written before their consonant.
_LEADING = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")
_ZERO_WIDTH_SPACE = "\u200b"
# Without the full-width digits and letters, which form words as in other scripts.
_UNSPACED_SCRIPTS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x19E0, 0x19FF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0x3000, 0x30FF),  # East Asian signs, kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFF0F),
    (0xFF1A, 0xFF20),
    (0xFF3B, 0xFF40),
    (0xFF5B, 0xFFEF),
    (0x1AFF0, 0x1B16F),  # more kana
    (0x20000, 0x3FFFF),
)


def without_closers(text: str) -> str:
    """Return `text` without the quotes, closing brackets and spaces at its end."""
    end = len(text)
    while end and (
        text[end - 1].isspace()
        or text[end - 1] in "\"'"
        or unicodedata.category(text[end - 1]) in ("Pe", "Pf", "Pi")
    ):
        end -= 1
    return text[:end]


def without_leading_stops(text: str) -> str:
    """Return `text` without spaces and signs at its start that belong to earlier text.

    Models go on with ", and" after a pause. A point before a digit stays.
    """
    signs, start = PAUSES + FULL_STOPS + CALLS, 0
    for sign, following in pairwise(f"{text} "):
        if not sign.isspace() and (sign not in signs or following.isdigit()):
            break
        start += 1
    return text[start:] or text.strip()


def ends_sentence(text: str) -> bool:
    """Return whether `text` ends with a sentence end, closing quotes and brackets aside."""
    bare = without_closers(text)
    if bare[-1:] == ";":  # the Greek question mark
        return unicodedata.name(bare[-2:-1] or ";", "").startswith("GREEK")
    return bare != "" and bare[-1] in SENTENCE_ENDS


def columns(text: str) -> int:
    """Return the width of `text` in columns: wide characters have two, combining marks none."""
    return cell_len(text.replace("\t", " "))


def unspaced(character: str) -> bool:
    """Return whether a character's script has no spaces between words."""
    return any(first <= ord(character) <= last for first, last in _UNSPACED_SCRIPTS)


def clings(character: str) -> bool:
    """Return whether a character belongs to the one before it, e.g. a combining mark."""
    if character == _ZERO_WIDTH_SPACE:
        return False
    return unicodedata.category(character) in _CLINGING or character in _FOLLOWING


def is_mark(character: str) -> bool:
    """Return whether a character is a combining mark."""
    return unicodedata.category(character)[0] == "M"


def opens(sign: str) -> bool:
    """Return whether a sign belongs to what follows it, e.g. an opening bracket."""
    return unicodedata.category(sign) in ("Ps", "Pi") or sign in "¿¡"


def holds_next(character: str) -> bool:
    """Return whether no word and no line ends after a character, e.g. an opening bracket."""
    return opens(character) or character in _LEADING


def punctuates(sign: str) -> bool:
    """Return whether a sign is punctuation that is not pronounced; "%" is pronounced."""
    return unicodedata.category(sign)[0] == "P" and sign not in _SPOKEN_SIGNS


def may_begin_line(character: str) -> bool:
    """Return whether a line of a script without spaces may begin with a character."""
    return not clings(character) and (opens(character) or not punctuates(character))
