"""Events for committed and partial words: joined text, times and confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamwhisper.events import Committed, Partial, Word
from streamwhisper.session.agreement import normalized
from streamwhisper.session.sentences import begins_lower, capitalized, stops_sentence
from streamwhisper.session.window import SAMPLE_RATE, WindowWord
from streamwhisper.typography import without_leading_stops

__all__ = ["EventBuilder"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Place in the text, as far as it decides how the next word is spelled.

    Attributes:
        first: whether the session has no text yet.
        begun: whether the utterance has a word.
        sentence_over: whether the text ends with the end of a sentence.
    """

    first: bool = True
    begun: bool = False
    sentence_over: bool = False


class EventBuilder:
    """Builder of `Committed` and `Partial` events.

    No utterance begins with punctuation, and a sentence begins with a capital letter, in texts and
    in words. The tokens of the words do not change, so the recognizer sees what it wrote.

    Attributes:
        language: language code of the text, once known.
        utterance: number of the current utterance, from 0.
    """

    def __init__(self, language: str | None) -> None:
        self.language = language
        self.utterance = 0
        self._place = _Place()
        self._shown = ""

    def commit(
        self, words: Sequence[WindowWord], at: int, covered_until: int | None = None
    ) -> Committed:
        """Return the event for newly committed words (perhaps none).

        Args:
            words: the words.
            at: sample at which committed text ends if there are no words.
            covered_until: sample up to which the utterance is covered; None unless it ends.
        """
        spelled, self._place = self._spelled(words)
        committed = Committed(
            _text(spelled),
            (words[0].start if words else at) / SAMPLE_RATE,
            (words[-1].end if words else at) / SAMPLE_RATE,
            _written(spelled),
            self.language,
            self.utterance,
            covered_until is not None,
            None if covered_until is None else covered_until / SAMPLE_RATE,
        )
        if covered_until is not None:
            self.utterance += 1
            self._place = replace(self._place, begun=False)
            self._shown = ""
        return committed

    def partial(self, words: Sequence[WindowWord], at: int) -> Partial | None:
        """Return the event for words that may change; None if the text did not change."""
        spelled, _ = self._spelled(words)
        text = _text(spelled)
        if text == self._shown:
            return None
        self._shown = text
        return Partial(
            text,
            (words[0].start if words else at) / SAMPLE_RATE,
            (words[-1].end if words else at) / SAMPLE_RATE,
            _written(spelled),
        )

    def _spelled(self, words: Sequence[WindowWord]) -> tuple[list[WindowWord], _Place]:
        """Return the words as they are spelled in this place, and the place after them."""
        spelled, place = [], self._place
        for item in words:
            text, place = _spelled_word(item.word.text, place, self.language)
            spelled.append(replace(item, word=replace(item.word, text=text)))
        return spelled, place


def _spelled_word(text: str, place: _Place, language: str | None) -> tuple[str, _Place]:
    """Return the spelling of a word at a place, and the place after it."""
    signs = text[: len(text) - len(without_leading_stops(text))]
    over = place.sentence_over
    if place.begun:
        over = over or stops_sentence(signs)
    elif normalized(text):
        space = signs[-1:] if signs[-1:].isspace() and not place.first else ""
        text = space + text[len(signs) :]
    else:
        return "", place  # a sign without a word
    if over and begins_lower(text):
        text = capitalized(text, language)
    return text, _Place(False, True, stops_sentence(text) if text.strip() else over)


def _text(words: Sequence[WindowWord]) -> str:
    return "".join(item.word.text for item in words)


def _written(words: Sequence[WindowWord]) -> tuple[Word, ...]:
    """Return the words of an event; punctuation before a word, or alone, is text only."""
    return tuple(
        Word(
            without_leading_stops(item.word.text).strip(),
            item.start / SAMPLE_RATE,
            item.end / SAMPLE_RATE,
            math.exp(min(0.0, item.word.log_probability)),
        )
        for item in words
        if normalized(item.word.text)
    )
