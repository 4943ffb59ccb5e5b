"""What a session has said since the last time that it was told as final."""

from __future__ import annotations

from collections import deque

from streamwhisper.events import Committed, Partial, SpeechEnded, Word
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.session import Session
from streamwhisper.whisper.languages import UNSPACED_LANGUAGES

__all__ = ["TranscriptState"]


class TranscriptState:
    """Text that stands, and the present guess for what follows it.

    Attributes:
        text: that stands, and its `words`.
        changed: whether there is anything new; its reader takes that back.
    """

    def __init__(self, session: Session) -> None:
        """Nothing yet."""
        language = session.options.language
        self._found = isinstance(language, LanguageDetection)
        self._language = None if isinstance(language, LanguageDetection) else language
        self.text = ""
        self.words: tuple[Word, ...] = ()
        self.changed = False
        self._partial = Partial("", 0.0, 0.0)
        self._speech_ends: deque[float] = deque()  # of speech whose text is not concluded yet

    def take(self, event: SpeechEnded | Partial | Committed) -> bool:
        """Take in what the session says.

        Returns:
            whether that was the last of speech that ended, and not of a flush in its middle.
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
        """Whether what stands may be told by itself, for this is a word of its own.

        Clients put a space between what they are told.
        """
        apart = event.text[:1].isspace() or event.language in UNSPACED_LANGUAGES
        return apart and bool(self.words)

    def clear(self) -> None:
        """All text that stands was told."""
        self.text, self.words = "", ()

    @property
    def shown(self) -> tuple[str, tuple[Word, ...]]:
        """All text and its words, the guess included."""
        return self.text + self._partial.text, self.words + self._partial.words

    @property
    def language(self) -> str | None:
        """Of the text; None: not known."""
        return self._language

    @property
    def languages(self) -> tuple[str, ...]:
        """The language again, if it was found and the client did not say it."""
        return (self._language,) if self._found and self._language is not None else ()
