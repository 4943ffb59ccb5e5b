"""Sentences of live text: when a full stop is certain, and a capital letter after it.

Whisper writes a full stop where the audio ends, also in the middle of a sentence. A word with a
full stop is therefore not committed until the next word confirms it.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamwhisper.recognition import HypothesisWord
from streamwhisper.typography import CALLS, FULL_STOPS, SENTENCE_ENDS

__all__ = ["begins_lower", "capitalized", "confirmed", "stops_sentence"]

MAX_HOLD = 1.5
"""Seconds from which the full stop of an unchanged word is accepted without a next word."""
DOTTED_CAPITALS = ("tr", "az")
"""Languages in which the capital of "i" has a dot."""
OPENERS = "\"'([{\u201c\u201e\u2018\u00ab\u00bf\u00a1"
YEAR_DIGITS = 3
"""Digits of a number whose full stop ends a sentence; in German "3." is "third"."""
ABBREVIATIONS = frozenset(
    " ".join(
        (
            "mr mrs ms dr prof st jr sr messrs rev hon gen col maj capt lt sgt gov sen rep pres",
            "vs etc inc ltd co corp dept approx nos vol vols figs ch pp ed eds cf al",
            "jan feb mar apr jun jul aug sep sept oct nov dec mt ft ave blvd",
            "bzw ca usw evtl ggf inkl exkl nr str vgl sog bspw bd hrsg jh med phil jur mio mrd",
            "mme mlle env av chap",
            "sra srta dra ud uds núm pág tel",
            "sig dott ecc avv pag",
            "bijv enz mevr dhr nl resp bl osv kl tfn",
            "гг др руб млн млрд стр ул",  # noqa: RUF001
            "np tzn itd itp tj ul tzv např čl",
        )
    ).split()
)
"""Words, in lower case, whose full stop does not end a sentence; short for many languages."""


def stops_sentence(text: str) -> bool:
    """Return whether `text` ends with one sign that ends a sentence.

    False for an ellipsis, a quotation ("Where?" he asked), a number ("3."), initials ("J.") and
    abbreviations ("e.g.", "Mr."): after them a sentence may go on in lower case.
    """
    text = text.strip()
    if text[-1:] in (*CALLS, ""):
        return text != ""
    word = text[:-1].lstrip(OPENERS)
    if text[-1] not in FULL_STOPS or not word:
        return text[-1] in FULL_STOPS
    if "." in word or word[-1] in SENTENCE_ENDS:
        return False
    if word.isdigit():
        return len(word) >= YEAR_DIGITS
    initial = len(word) == 1 and word.casefold() != word.upper()
    return not initial and word.casefold() not in ABBREVIATIONS


def begins_lower(text: str) -> bool:
    """Return whether the first letter of `text` is in lower case and has a capital."""
    letter = _first_letter(text)
    return letter is not None and text[letter].islower() and text[letter].title() != text[letter]


def capitalized(text: str, language: str | None = None) -> str:
    """Return `text` with a capital first letter, unless it has capitals of its own (iPhone).

    Args:
        text: a word with its spaces and punctuation.
        language: language code; the capital of "i" is "İ" in Turkish.
    """
    letter = _first_letter(text)
    if letter is None or any(sign.isupper() for sign in text):
        return text
    dotted = text[letter] == "i" and language in DOTTED_CAPITALS
    capital = "İ" if dotted else text[letter].title()
    return f"{text[:letter]}{capital}{text[letter + 1 :]}"


def confirmed(words: Sequence[HypothesisWord], count: int, waited: float) -> int:
    """Return how many of the first `count` words end in certain text.

    A word with a full stop waits for a next word that is not in lower case, at most `MAX_HOLD`.

    Args:
        words: words of a hypothesis.
        count: leading words that are stable.
        waited: seconds for which the last of them has been unchanged.
    """
    if not 0 < count <= len(words) or waited >= MAX_HOLD:
        return count
    following = words[count].text if count < len(words) else ""
    certain = following and not begins_lower(following)
    return count if certain or not stops_sentence(words[count - 1].text) else count - 1


def _first_letter(text: str) -> int | None:
    """Return the index of the first letter, unless a digit precedes it."""
    for index, sign in enumerate(text):
        if sign.isalnum():
            return index if sign.isalpha() else None
    return None
