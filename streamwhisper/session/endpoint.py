"""Endpointing: how much silence ends an utterance, given the text before it.

After a complete sentence, speakers seldom continue the utterance. After "and", or in the middle of
a telephone number, they nearly always do.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from streamwhisper.deprecation import renamed_fields
from streamwhisper.errors import check_fields
from streamwhisper.typography import (
    CALLS,
    ELLIPSIS,
    PAUSES,
    SENTENCE_ENDS,
    is_mark,
    without_closers,
)

__all__ = ["Continuations", "EndpointKind", "EndpointOptions", "ending", "silence_after"]

EndpointKind = Literal["fixed", "sentence"]
Ending = Literal["complete", "open", "unclear"]

BREAKS = PAUSES + ELLIPSIS + "-\u2013\u2014"  # and dashes
ELLIPSES = ("..", "\u3002\u3002")


@renamed_fields(
    settle="settle_time",
    sooner="silence_after_sentence",
    later="silence_mid_sentence",
    sure="min_word_probability",
)
@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Silences that end an utterance, in seconds.

    Attributes:
        kind: "fixed" waits for the gate's own silence (`GateOptions.silence`) whatever the text
            is; "sentence" waits less after a complete sentence and more in the middle of one.
        settle_time: silence after which all speech so far is transcribed, before the end.
        silence_after_sentence: silence that ends an utterance after a complete sentence. The
            smaller of this and `GateOptions.silence` applies: to wait longer than 0.6 s, raise
            `GateOptions.silence` as well.
        silence_mid_sentence: silence that ends an utterance after e.g. a conjunction, comma or
            number. The larger of this and `GateOptions.silence` applies.
        min_word_probability: a last word below this probability completes no sentence.

    Raises:
        ValueError: a value is out of range.
    """

    kind: EndpointKind = "sentence"
    settle_time: float = 0.4
    silence_after_sentence: float = 0.45
    silence_mid_sentence: float = 1.0
    min_word_probability: float = 0.85

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("kind", self.kind in ("fixed", "sentence"), '"fixed" or "sentence"'),
            ("settle_time", self.settle_time > 0, "above 0 s"),
            (
                "silence_after_sentence",
                self.silence_after_sentence >= self.settle_time,
                f"at least settle_time ({self.settle_time} s)",
            ),
            (
                "silence_mid_sentence",
                self.silence_after_sentence <= self.silence_mid_sentence <= 10,
                f"silence_after_sentence ({self.silence_after_sentence} s) to 10 s",
            ),
            ("min_word_probability", 0 <= self.min_word_probability <= 1, "0 to 1"),
        )


@dataclass(frozen=True, slots=True)
class Continuations:
    """Words of one language, in lower case, after which a sentence continues.

    Attributes:
        always: words that continue it even before a full stop, which models write after pauses.
        unstopped: words that continue it unless a full stop follows.
    """

    always: frozenset[str]
    unstopped: frozenset[str]


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


CONTINUATIONS = {
    "en": Continuations(
        always=_words(
            "and or but nor because although though unless whereas if than",
            "a an the my your our their every",
            "mr mrs ms dr prof",
            "um uh er erm uhm hmm",
        ),
        unstopped=_words(
            "so as while when where which who whose that since until before after whether like",
            "of to in on at by for from with without into onto over under about between through",
            "during against among toward towards upon within beyond throughout per via",
            "this these those his her its no some any each which what",
            "is am are was were be been has have had do does did will would shall should can",
            "could may might must not i'm you're we're they're it's that's there's i'll we'll",
            "i he she we they very quite rather",
            "zero oh one two three four five six seven eight nine ten eleven twelve thirteen",
            "fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty",
            "seventy eighty ninety hundred thousand million billion double triple point",
        ),
    ),
}
"""Other languages are judged only by punctuation and digits."""


def ending(text: str, language: str | None) -> Ending:
    """Classify the end of `text`: a complete sentence, an open one, or unclear.

    Args:
        text: the last few words, with punctuation.
        language: language code, e.g. ``"en"``; None if unknown.
    """
    text = without_closers(text)
    marks = text[len(text.rstrip(SENTENCE_ENDS + BREAKS + " ")) :].strip()
    if marks.endswith(ELLIPSES) or marks[-1:] in tuple(BREAKS):
        return "open"
    if marks[-1:] in tuple(CALLS):
        return "complete"
    last = _last_word(text)
    if last[-1:].isdigit():
        return "open"
    words = CONTINUATIONS.get(language or "")
    if words and (last in words.always or (not marks and last in words.unstopped)):
        return "open"
    return "complete" if marks else "unclear"


def silence_after(
    text: str,
    language: str | None,
    usual: float,
    options: EndpointOptions,
    probability: float = 1.0,
) -> float:
    """Return the seconds of silence after `text` that end the utterance.

    Args:
        text: the last few words, with punctuation; empty without words.
        language: language code, e.g. ``"en"``; None if unknown.
        usual: seconds of silence when the text is unclear.
        options: seconds of silence otherwise.
        probability: probability of the last word.
    """
    if options.kind == "fixed":
        return usual
    found = ending(text, language)
    if found == "open":
        return max(usual, options.silence_mid_sentence)
    if found == "complete" and probability >= options.min_word_probability:
        return min(usual, options.silence_after_sentence)
    return usual


def _last_word(text: str) -> str:
    """Return the last word in lower case, without punctuation; "two" for "forty-two"."""
    kept = "".join(
        sign if sign.isalnum() or sign in "'%" or is_mark(sign) else " "
        for sign in unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    )
    return next((word for word in reversed([w.strip("'") for w in kept.split()]) if word), "")
