"""One channel of a Deepgram stream: a session's events as results.

Text comes in spans. What is not final is said again, whole, as it grows; once it stands it is said
as final, and the next span begins where that one ended. So the transcript is all final text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal

from streamwhisper.events import (
    Committed,
    Done,
    Event,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from streamwhisper.server.dialects.deepgram import messages
from streamwhisper.server.dialects.deepgram.messages import Message, Place, Stream
from streamwhisper.server.dialects.deepgram.query import TurnOptions
from streamwhisper.server.dialects.deepgram.wording import WordingOptions, worded
from streamwhisper.server.dialects.witness import Witness
from streamwhisper.session.session import Session
from streamwhisper.whisper.languages import UNSPACED_LANGUAGES

__all__ = ["Channel"]

SPAN_SECONDS = 5.0
"""Text that stands is said as final after so long, though its utterance goes on."""
REWRITTEN_SECONDS = 20.0
"""The same where words may become others: "twenty" and "five" belong together."""


class Channel:
    """What listens to one channel, and says what it hears.

    Attributes:
        session: that listens.
        wording: how text is written.
        done: whether all is said.
    """

    def __init__(
        self,
        stream: Stream,
        place: Place,
        session: Session,
        witness: Witness,
        turns: TurnOptions,
        wording: WordingOptions,
    ) -> None:
        """Begin to listen.

        Args:
            place: which of how many channels it is.
            witness: is told of what is heard.
            turns: what is said of whose turn it is.
        """
        self.session = session
        self.wording = wording
        self.done = False
        self._stream = stream
        self._place = place
        self._witness = witness
        self._turns = turns
        self._start = 0.0  # of the present span
        self._text = ""  # that stands in it, and its words
        self._words: tuple[Word, ...] = ()
        self._partial: Partial | None = None
        self._told = ""  # the last interim transcript
        self._changed = False  # text, since then
        self._language: str | None = _given(session)
        # What came since the last utterance's end.
        self._turn: Literal["", "speech", "text"] = ""
        self._speech_ends: deque[float] = deque()  # of speech whose text is not concluded yet
        self._finalizes: deque[float] = deque()  # where they were asked for
        self._last_word_end: float | None = None  # that no end of an utterance was told for

    @property
    def finalizing(self) -> int:
        """How many answers are owed to the client."""
        return len(self._finalizes)

    def finalize(self) -> None:
        """Everything heard so far is to stand."""
        self._finalizes.append(self.session.audio_seconds)
        self.session.flush()

    def release(self) -> None:
        """Nobody listens any more."""
        self._witness.close()

    def collect(self) -> Iterator[Message]:
        """What there is to say since the last call."""
        for event in self.session.events():
            self._witness.tell(event)
            yield from self._tell(event)
        if self._changed and self._turns.interim_results and not self.done:
            self._changed = False
            yield from self._interim()
        yield from self._utterance_end()

    def _tell(self, event: Event) -> Iterator[Message]:
        match event:
            case SpeechStarted(at):
                self._turn = self._turn or "speech"
                if self._turns.vad_events:
                    yield messages.speech_started(self._place, at)
            case SpeechEnded(at):
                self._speech_ends.append(at)
            case Partial():
                self._partial = event
                self._changed = True
            case Committed():
                yield from self._commit(event)
            case Flushed():
                # Text that it ended is an utterance like any other.
                at, over = self._finalizes.popleft(), self._turn == "text"
                yield self._final(at, speech_final=over, from_finalize=True)
            case Done():
                if self._text:
                    yield self._final(self._start)
                self.done = True

    def _commit(self, event: Committed) -> Iterator[Message]:
        self._partial = None
        self._changed = True
        # A span ends between words alone, for clients put a space between two.
        apart = event.text[:1].isspace() or event.language in UNSPACED_LANGUAGES
        if apart and self._words:
            until = self._words[-1].end
            longest = REWRITTEN_SECONDS if self.wording.rewrites else SPAN_SECONDS
            if until - self._start >= longest:
                yield self._final(until)
        self._text += event.text
        if event.text:
            self._turn = "text"
        self._words += event.words
        self._language = event.language
        if event.words:
            self._last_word_end = event.words[-1].end
        # Speech that ended, and not a flush in its middle, whose answer follows.
        if event.heard is not None and self._speech_ends and event.heard >= self._speech_ends[0]:
            self._speech_ends.popleft()
            if self._turn:
                yield self._final(event.heard, speech_final=True)

    def _final(
        self, until: float, *, speech_final: bool = False, from_finalize: bool = False
    ) -> Message:
        """The present span, which ends; another one begins."""
        until = max(until, self._start, *(word.end for word in self._words[-1:]))
        if speech_final:
            self._turn = ""
        said = messages.results(
            self._stream,
            self._place,
            (self._start, until),
            worded(self._text, self._words, self.wording, self._language),
            is_final=True,
            speech_final=speech_final and self._turns.ends,
            from_finalize=from_finalize,
            languages=self._languages,
        )
        self._start, self._text, self._words, self._told = until, "", (), ""
        return said

    def _interim(self) -> Iterator[Message]:
        text, words = self._text, self._words
        if self._partial is not None:
            text, words = text + self._partial.text, words + self._partial.words
        wording = worded(text, words, self.wording, self._language)
        if wording.transcript == self._told:
            return
        self._told = wording.transcript
        ends = (word.end for word in words[-1:])
        until = max(self._start, self.session.covered_seconds, *ends)
        yield messages.results(
            self._stream,
            self._place,
            (self._start, until),
            wording,
            is_final=False,
            languages=self._languages,
        )

    def _utterance_end(self) -> Iterator[Message]:
        last, wait = self._last_word_end, self._turns.utterance_end
        pending = self._text or (self._partial is not None and self._partial.text)
        if last is None or wait is None or pending:
            return
        if self.session.covered_seconds - last >= wait:
            self._last_word_end = None
            yield messages.utterance_end(self._place, last)

    @property
    def _languages(self) -> tuple[str, ...]:
        """Those that were found, where the client did not say it."""
        return () if self._language is None or _given(self.session) else (self._language,)


def _given(session: Session) -> str | None:
    """The language that is given, and need not be found."""
    language = session.options.language
    return language if isinstance(language, str) else None
