"""How long a silence lasts until it ends an utterance, judged by the text before it.

Who has finished a sentence seldom goes on with it; who stops after "and", or in the middle of a
telephone number, nearly always does.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from streamwhisper.deprecation import renamed_fields
from streamwhisper.errors import check_fields

__all__ = ["Continuations", "EndpointKind", "EndpointOptions", "ending", "silence_after"]

EndpointKind = Literal["fixed", "sentence"]
Ending = Literal["complete", "open", "unclear"]

STOPS = ".\u3002\uff0e\uff61\u0964\u06d4"  # also CJK, Hindi and Urdu
CALLS = "?!\uff1f\uff01\u061f"  # also CJK and Arabic; what is asked is never half a number
BREAKS = ",;:-\u2013\u2014\u2026\u3001\uff0c\uff1b\uff1a\u060c"  # dashes, ellipsis, CJK, Arabic
ELLIPSES = ("..", "\u3002\u3002")


@renamed_fields(
    settle="settle_time",
    sooner="silence_after_sentence",
    later="silence_mid_sentence",
    sure="min_word_probability",
)
@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """When a silence ends an utterance; times in seconds of silence.

    Attributes:
        kind: "fixed" waits for the gate's own silence whatever was said; "sentence" for less of
            it after a complete sentence and for more where the text goes on.
        settle: the speech so far is heard out then, ahead of its end.
        sooner: after a complete sentence.
        later: after a conjunction, an article, a comma, a number and the like.
        sure: a last word that is less probable than this completes no sentence.

    Raises:
        ValueError: a value that makes no sense.
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
    """Words of one language, in lower case, after which a sentence goes on.

    Attributes:
        always: even before a full stop, since models write one after every pause.
        unstopped: unless a full stop follows.
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
"""Languages that are not here are judged by punctuation and digits alone."""


def ending(text: str, language: str | None) -> Ending:
    """How `text` ends: with a sentence, in the middle of one, or neither can be told.

    Args:
        text: the last few words, as they are written.
        language: its code, such as ``"en"``; None where it is not known.
    """
    text = _without_closers(text)
    marks = text[len(text.rstrip(STOPS + CALLS + BREAKS + " ")) :].strip()
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
    """Seconds of silence after `text` that end the utterance.

    Args:
        text: see `ending`; empty where nothing was heard.
        language: see `ending`.
        usual: seconds of silence where the text does not tell.
        probability: of the last word.
    """
    if options.kind == "fixed":
        return usual
    found = ending(text, language)
    if found == "open":
        return max(usual, options.silence_mid_sentence)
    if found == "complete" and probability >= options.min_word_probability:
        return min(usual, options.silence_after_sentence)
    return usual


def _without_closers(text: str) -> str:
    """`text` without the quotes, brackets and spaces at its end."""
    end = len(text)
    while end and (
        text[end - 1].isspace()
        or text[end - 1] in "\"'"
        or unicodedata.category(text[end - 1]) in ("Pe", "Pf", "Pi")
    ):
        end -= 1
    return text[:end]


def _last_word(text: str) -> str:
    """The last word in lower case, without punctuation around it; of "forty-two" it is "two"."""
    kept = "".join(
        sign if sign.isalnum() or sign in "'%" or unicodedata.category(sign)[0] == "M" else " "
        for sign in unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    )
    return next((word for word in reversed([w.strip("'") for w in kept.split()]) if word), "")
