"""Text of a session since its last final result."""

from __future__ import annotations

from collections import deque

from streamwhisper.events import Committed, Partial, SpeechEnded, Word
from streamwhisper.session.session import Session
from streamwhisper.typography import unspaced

__all__ = ["TranscriptState"]


class TranscriptState:
    """Committed text, and the current hypothesis for the text after it.

    Attributes:
        text: committed text.
        words: words of the committed text.
        changed: whether the text changed; the reader resets it.
    """

    def __init__(self, session: Session) -> None:
        """Create an empty state for a session."""
        self._language = session.options.language_code
        self._found = self._language is None
        self.text = ""
        self.words: tuple[Word, ...] = ()
        self.changed = False
        self._partial = Partial("", 0.0, 0.0)
        self._speech_ends: deque[float] = deque()  # speech whose text is not complete

    def take(self, event: SpeechEnded | Partial | Committed) -> bool:
        """Update the state with an event of the session.

        Returns:
            True if the event ends an utterance whose speech ended; False for a flush within speech.
        """
        if isinstance(event, SpeechEnded):
            self._speech_ends.append(event.at)
            return False
        self.changed = True
        if isinstance(event, Partial):
            self._partial = event
            return False
        self._partial = Partial("", 0.0, 0.0)
        self.text += event.text
        self.words += event.words
        self._language = event.language
        ended = self._speech_ends
        over = event.covered_until is not None and bool(ended) and event.covered_until >= ended[0]
        if over:
            ended.popleft()
        return over

    def parts_before(self, event: Committed) -> bool:
        """Return whether the committed text may be sent before this event: the event begins a word.

        Clients join results with a space.
        """
        first = event.text[:1]
        return bool(self.words) and first != "" and (first.isspace() or unspaced(first))

    def clear(self) -> None:
        """Discard the committed text after it was sent."""
        self.text, self.words = "", ()

    @property
    def shown(self) -> tuple[str, tuple[Word, ...]]:
        """All text and its words, including the hypothesis."""
        return self.text + self._partial.text, self.words + self._partial.words

    @property
    def language(self) -> str | None:
        """Language code of the text; None: unknown."""
        return self._language

    @property
    def languages(self) -> tuple[str, ...]:
        """The detected language; empty if the client chose one."""
        return (self._language,) if self._found and self._language is not None else ()
