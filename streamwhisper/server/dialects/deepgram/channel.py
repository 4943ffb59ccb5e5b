"""Results of one channel of a Deepgram stream.

Text is sent in spans. An interim result repeats the whole span as it grows. A final result ends
the span, and the next one begins there. The concatenated final results are the transcript.
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
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, format_text
from streamwhisper.server.dialects.deepgram.messages import Message, Place, StreamMetadata
from streamwhisper.server.dialects.deepgram.query import TurnOptions
from streamwhisper.server.dialects.deepgram.transcript_state import TranscriptState
from streamwhisper.server.publishing.observers import ObservedSession

__all__ = ["Channel"]

SPAN_SECONDS = 5.0
"""Maximum duration of a span within an utterance."""
REWRITTEN_SECONDS = 20.0
"""Maximum duration of a span if formatting joins words, e.g. "twenty" and "five"."""


class Channel:
    """Session of one channel, and its results.

    Attributes:
        session: the session of the channel.
        formatting: options of the text.
        done: whether all results were returned.
    """

    def __init__(
        self,
        stream: StreamMetadata,
        place: Place,
        session: ObservedSession,
        turns: TurnOptions,
        formatting: FormattingOptions,
    ) -> None:
        """Create a channel for a session.

        Args:
            stream: fields of every message.
            place: number of the channel, and the number of channels.
            session: the session of the channel.
            turns: which events are sent, and when.
            formatting: options of the text.
        """
        self.session = session
        self.formatting = formatting
        self.done = False
        self._stream = stream
        self._place = place
        self._turns = turns
        self._state = TranscriptState(session)
        self._start = 0.0  # start of the current span
        self._last_sent = ""  # transcript of the last interim result
        # What was received since the end of the last utterance.
        self._turn: Literal["", "speech", "text"] = ""
        self._finalizes: deque[float] = deque()  # audio positions of the commands, in seconds
        self._last_word_end: float | None = None  # not reported in UtteranceEnd yet

    @property
    def finalizing(self) -> int:
        """Number of `Finalize` commands without an answer."""
        return len(self._finalizes)

    def finalize(self) -> None:
        """Commit the audio received so far."""
        self._finalizes.append(self.session.audio_seconds)
        self.session.flush()

    def release(self) -> None:
        """Close the session."""
        self.session.close()

    def collect(self) -> Iterator[Message]:
        """Yield the messages since the last call."""
        for event in self.session.events():
            yield from self._messages_of(event)
        if self._state.changed and self._turns.interim_results and not self.done:
            self._state.changed = False
            yield from self._interim()
        yield from self._utterance_end()

    def _messages_of(self, event: Event) -> Iterator[Message]:
        match event:
            case SpeechStarted(at):
                self._turn = self._turn or "speech"
                if self._turns.vad_events:
                    yield messages.speech_started(self._place, at)
            case SpeechEnded() | Partial():
                self._state.take(event)
            case Committed():
                yield from self._commit(event)
            case Flushed():
                # A flush ends an utterance if there is text.
                at, over = self._finalizes.popleft(), self._turn == "text"
                yield self._final(at, speech_final=over, from_finalize=True)
            case Done():
                if self._state.text:
                    yield self._final(self._start)
                self.done = True

    def _commit(self, event: Committed) -> Iterator[Message]:
        if self._state.parts_before(event):
            until = self._state.words[-1].end
            longest = REWRITTEN_SECONDS if self.formatting.rewrites else SPAN_SECONDS
            if until - self._start >= longest:
                yield self._final(until)
        if event.text:
            self._turn = "text"
        if event.words:
            self._last_word_end = event.words[-1].end
        over = self._state.take(event)
        if over and self._turn:
            yield self._final(event.covered_until or 0.0, speech_final=True)

    def _final(
        self, until: float, *, speech_final: bool = False, from_finalize: bool = False
    ) -> Message:
        """Return the final result of the current span and begin the next one."""
        state = self._state
        until = max(until, self._start, *(word.end for word in state.words[-1:]))
        if speech_final:
            self._turn = ""
        message = messages.results(
            self._stream,
            self._place,
            (self._start, until),
            format_text(state.text, state.words, self.formatting, state.language),
            is_final=True,
            speech_final=speech_final and self._turns.ends,
            from_finalize=from_finalize,
            languages=state.languages,
        )
        state.clear()
        self._start, self._last_sent = until, ""
        return message

    def _interim(self) -> Iterator[Message]:
        text, words = self._state.shown
        formatted = format_text(text, words, self.formatting, self._state.language)
        if formatted.transcript == self._last_sent:
            return
        self._last_sent = formatted.transcript
        ends = (word.end for word in words[-1:])
        until = max(self._start, self.session.covered_seconds, *ends)
        yield messages.results(
            self._stream,
            self._place,
            (self._start, until),
            formatted,
            is_final=False,
            languages=self._state.languages,
        )

    def _utterance_end(self) -> Iterator[Message]:
        last, wait = self._last_word_end, self._turns.utterance_end
        if last is None or wait is None or self._state.shown[0]:
            return
        if self.session.covered_seconds - last >= wait:
            self._last_word_end = None
            yield messages.utterance_end(self._place, last)
