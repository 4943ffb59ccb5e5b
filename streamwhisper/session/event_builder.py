"""Words to the events that carry them: text that joins up, times, confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamwhisper.events import Committed, Partial, Word
from streamwhisper.session.agreement import normalized
from streamwhisper.session.window import SAMPLE_RATE, WindowWord

__all__ = ["EventBuilder"]


class EventBuilder:
    """What has been said of the text.

    Attributes:
        language: of the text, once known.
        utterance: number of the present utterance, from 0.
    """

    def __init__(self, language: str | None) -> None:
        self.language = language
        self.utterance = 0
        self._empty = True
        self._shown = ""

    def commit(self, words: Sequence[WindowWord], at: int, heard: int | None = None) -> Committed:
        """The event for newly committed words (perhaps none).

        Args:
            at: where committed text ends if there are no words, in samples.
            heard: the utterance ends with them, and was heard up to this sample.
        """
        text = self._joined(words)
        self._empty = self._empty and not text
        committed = Committed(
            text,
            (words[0].start if words else at) / SAMPLE_RATE,
            (words[-1].end if words else at) / SAMPLE_RATE,
            _written(words),
            self.language,
            self.utterance,
            heard is not None,
            None if heard is None else heard / SAMPLE_RATE,
        )
        if heard is not None:
            self.utterance += 1
            self._shown = ""
        return committed

    def partial(self, words: Sequence[WindowWord], at: int) -> Partial | None:
        """The event for the present guess, or None where the last one said the same."""
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

    def _joined(self, words: Sequence[WindowWord]) -> str:
        text = "".join(item.word.text for item in words)
        return text.lstrip() if self._empty else text


def _written(words: Sequence[WindowWord]) -> tuple[Word, ...]:
    """The words as a reader counts them: lone punctuation is text, but no word."""
    return tuple(
        Word(
            item.word.text.strip(),
            item.start / SAMPLE_RATE,
            item.end / SAMPLE_RATE,
            math.exp(min(0.0, item.word.log_probability)),
        )
        for item in words
        if normalized(item.word.text)
    )
