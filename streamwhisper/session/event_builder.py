"""Events for committed and partial words: joined text, times and confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.events import Committed, Partial, Word
from streamwhisper.session.agreement import normalized
from streamwhisper.session.sentences import begins_lower, capitalized, stops_sentence
from streamwhisper.session.window import SAMPLE_RATE, WindowWord
from streamwhisper.typography import without_leading_stops

__all__ = ["EventBuilder"]


class EventBuilder:
    """Builder of `Committed` and `Partial` events.

    Attributes:
        language: language code of the text, once known.
        utterance: number of the current utterance, from 0.
    """

    def __init__(self, language: str | None) -> None:
        self.language = language
        self.utterance = 0
        self._empty = True
        self._sentence_over = False
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
        words = self._spelled(words)
        text = self._joined(words)
        self._empty = self._empty and not text
        self._sentence_over = _ends_sentence(text, self._sentence_over)
        committed = Committed(
            text,
            (words[0].start if words else at) / SAMPLE_RATE,
            (words[-1].end if words else at) / SAMPLE_RATE,
            _written(words),
            self.language,
            self.utterance,
            covered_until is not None,
            None if covered_until is None else covered_until / SAMPLE_RATE,
        )
        if covered_until is not None:
            self.utterance += 1
            self._shown = ""
        return committed

    def partial(self, words: Sequence[WindowWord], at: int) -> Partial | None:
        """Return the event for words that may change; None if the text did not change."""
        words = self._spelled(words)
        text = self._joined(words)
        if text == self._shown:
            return None
        self._shown = text
        return Partial(
            text,
            (words[0].start if words else at) / SAMPLE_RATE,
            (words[-1].end if words else at) / SAMPLE_RATE,
            _written(words),
        )

    def _spelled(self, words: Sequence[WindowWord]) -> list[WindowWord]:
        """Return the words with a capital letter after the end of a sentence."""
        spelled, over = [], self._sentence_over
        for item in words:
            text = item.word.text
            if over and begins_lower(text):
                text = capitalized(text, self.language)
                item = replace(item, word=replace(item.word, text=text))
            over = _ends_sentence(text, over)
            spelled.append(item)
        return spelled

    def _joined(self, words: Sequence[WindowWord]) -> str:
        text = "".join(item.word.text for item in words)
        return without_leading_stops(text) if self._empty else text


def _ends_sentence(text: str, before: bool) -> bool:
    """Return whether a sentence has ended, given whether it had before `text`."""
    return stops_sentence(text) if text.strip() else before


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
