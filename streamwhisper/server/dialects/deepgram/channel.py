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
)
from streamwhisper.server.dialects.deepgram import messages
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, worded
from streamwhisper.server.dialects.deepgram.messages import Message, Place, StreamMetadata
from streamwhisper.server.dialects.deepgram.query import TurnOptions
from streamwhisper.server.dialects.deepgram.transcript_state import TranscriptState
from streamwhisper.server.publishing.observers import ObservedSession

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
        stream: StreamMetadata,
        place: Place,
        session: ObservedSession,
        turns: TurnOptions,
        wording: FormattingOptions,
    ) -> None:
        """Begin to listen.

        Args:
            place: which of how many channels it is.
            turns: what is said of whose turn it is.
        """
        self.session = session
        self.wording = wording
        self.done = False
        self._stream = stream
        self._place = place
        self._turns = turns
        self._heard = TranscriptState(session)
        self._start = 0.0  # of the present span
        self._told = ""  # the last interim transcript
        # What came since the last utterance's end.
        self._turn: Literal["", "speech", "text"] = ""
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
        self.session.close()

    def collect(self) -> Iterator[Message]:
        """What there is to say since the last call."""
        for event in self.session.events():
            yield from self._tell(event)
        if self._heard.changed and self._turns.interim_results and not self.done:
            self._heard.changed = False
            yield from self._interim()
        yield from self._utterance_end()

    def _tell(self, event: Event) -> Iterator[Message]:
        match event:
            case SpeechStarted(at):
                self._turn = self._turn or "speech"
                if self._turns.vad_events:
                    yield messages.speech_started(self._place, at)
            case SpeechEnded() | Partial():
                self._heard.take(event)
            case Committed():
                yield from self._commit(event)
            case Flushed():
                # Text that it ended is an utterance like any other.
                at, over = self._finalizes.popleft(), self._turn == "text"
                yield self._final(at, speech_final=over, from_finalize=True)
            case Done():
                if self._heard.text:
                    yield self._final(self._start)
                self.done = True

    def _commit(self, event: Committed) -> Iterator[Message]:
        if self._heard.parts_before(event):
            until = self._heard.words[-1].end
            longest = REWRITTEN_SECONDS if self.wording.rewrites else SPAN_SECONDS
            if until - self._start >= longest:
                yield self._final(until)
        if event.text:
            self._turn = "text"
        if event.words:
            self._last_word_end = event.words[-1].end
        over = self._heard.take(event)
        if over and self._turn:
            yield self._final(event.covered_until or 0.0, speech_final=True)

    def _final(
        self, until: float, *, speech_final: bool = False, from_finalize: bool = False
    ) -> Message:
        """The present span, which ends; another one begins."""
        heard = self._heard
        until = max(until, self._start, *(word.end for word in heard.words[-1:]))
        if speech_final:
            self._turn = ""
        said = messages.results(
            self._stream,
            self._place,
            (self._start, until),
            worded(heard.text, heard.words, self.wording, heard.language),
            is_final=True,
            speech_final=speech_final and self._turns.ends,
            from_finalize=from_finalize,
            languages=heard.languages,
        )
        heard.clear()
        self._start, self._told = until, ""
        return said

    def _interim(self) -> Iterator[Message]:
        text, words = self._heard.shown
        wording = worded(text, words, self.wording, self._heard.language)
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
            languages=self._heard.languages,
        )

    def _utterance_end(self) -> Iterator[Message]:
        last, wait = self._last_word_end, self._turns.utterance_end
        if last is None or wait is None or self._heard.shown[0]:
            return
        if self.session.covered_seconds - last >= wait:
            self._last_word_end = None
            yield messages.utterance_end(self._place, last)
