"""What one server session after another says, told as if it were a single one.

A server that was killed has forgotten the session. Another one hears the audio again from the
last final commit on. Its clock and its utterances begin at 0, and it says once more what had been
committed of the utterance that was cut off: here that is shifted, and left out.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from streamwhisper.client.overlap import after_words, overlap
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

__all__ = ["Continuity"]

_BEYOND = 0.5  # seconds past the end of what was told, from which more is surely new
_SAME = 0.1  # seconds by which the bounds of the same speech may differ
_OPENING = 3.0  # seconds after its start, at the most, that speech is announced
_ROUNDING = 0.002  # seconds; times on the wire have three decimals
_WITHOUT_SPACES = {"zh", "ja", "th", "lo", "my", "yue", "km", "bo"}


class Continuity:
    """Tells events on one clock; times are seconds since the client began.

    Attributes:
        settled: all sound before this is dealt with and told of.
    """

    def __init__(self) -> None:
        self.settled = 0.0
        self._offset = 0.0  # where the present session began
        self._again = False  # whether there was one before it
        self._first_utterance = 0  # of the present session
        self._next_utterance = 0
        self._text = False  # whether there is any
        self._session_text = False  # whether the present session has committed any
        self._told: list[Word] = []  # committed, but not in a final event yet
        self._held: list[Event] | None = None  # until it is known what of it was told before
        self._speaking = False  # as it was told
        self._bound = 0.0  # the last start or end of speech that was told
        self._open = False  # whether the session hears speech
        self._ended: list[tuple[float, float]] = []  # speech that is not settled
        self._started = 0.0
        self._speech_before = 0.0  # seconds of it, in sessions before this one
        self._speech_settled = 0.0

    def begin_again(self, at: float) -> None:
        """From now on a new session is heard, which began at this second: at what is settled."""
        self._again = True
        self._offset = at
        self._first_utterance = self._next_utterance
        self._session_text = False
        self._held = [] if self._told else None
        self._open, self._ended = False, []
        self._speech_before = self._speech_settled

    def hear(self, event: Event) -> list[Event]:
        """What is to be told because of an event of the present session; perhaps nothing."""
        event = self._shifted(event)
        if self._held is None:
            return self._tell(event)
        if not isinstance(event, Partial):  # it goes with the text that is held back
            self._held.append(event)
        if not self._known(event):
            return []
        held, self._held = self._held, None
        words = [word for e in held if isinstance(e, Committed) for word in e.words]
        repeated = overlap(self._told, words)
        told: list[Event] = []
        for other in held:
            if isinstance(other, Committed):
                count = min(repeated, len(other.words))
                repeated -= count
                other = after_words(other, count)
            told += self._tell(other)
        return told

    def rest(self, heard: float, lag: float) -> None:
        """The session has heard sound up to a second, and is so many seconds behind.

        Where nobody speaks, that is settled, but for the time that it takes to notice speech.
        """
        waiting = self._open or self._held is not None
        if not waiting and all(end <= self.settled + _ROUNDING for _, end in self._ended):
            self._settle(self._offset + heard - lag - _OPENING)

    def _known(self, event: Event) -> bool:
        """Whether all that was told has been heard again by now."""
        end = self._told[-1].end
        if isinstance(event, Committed):
            beyond = bool(event.words) and event.words[-1].end >= end + _BEYOND
            return beyond or (event.covered_until is not None and event.covered_until >= end)
        return isinstance(event, Flushed | Done)

    def _tell(self, event: Event) -> list[Event]:
        if isinstance(event, SpeechStarted | SpeechEnded):
            return [event] if self._new_bound(event) else []
        if isinstance(event, Committed):
            return self._tell_committed(event)
        if isinstance(event, Done) and not self._ended:  # else speech was cut off
            self._settle(event.audio_seconds)
        return [event]

    def _tell_committed(self, event: Committed) -> list[Event]:
        self._text = self._text or bool(event.text)
        self._told += event.words
        if event.final:
            heard = inf if event.covered_until is None else event.covered_until
            # Speech that was cut off has words after what is dealt with: they will come again.
            self._told = [word for word in self._told if word.end > heard + _ROUNDING]
            self._next_utterance = event.utterance + 1
            if event.covered_until is not None:
                self._settle(event.covered_until)
        return [event] if event.text or event.final else []

    def _new_bound(self, event: SpeechStarted | SpeechEnded) -> bool:
        """Whether this start or end of speech has not been told before."""
        starts = isinstance(event, SpeechStarted)
        known = self._again and (event.at <= self._bound + _SAME or starts == self._speaking)
        if not known:
            self._speaking, self._bound = starts, event.at
        return not known

    def _settle(self, at: float) -> None:
        self.settled = max(self.settled, at)
        done = [span for span in self._ended if span[1] <= self.settled + _ROUNDING]
        self._ended = self._ended[len(done) :]
        self._speech_settled += sum(end - start for start, end in done)

    def _shifted(self, event: Event) -> Event:
        """The event on the clock of all sessions."""
        at = self._offset
        if isinstance(event, SpeechStarted):
            self._open, self._started = True, event.at + at
            return replace(event, at=event.at + at)
        if isinstance(event, SpeechEnded):
            self._open = False
            self._ended.append((self._started, event.at + at))
            return replace(event, at=event.at + at, detected_at=event.detected_at + at)
        if isinstance(event, Done):
            speech = event.speech_seconds + self._speech_before
            return replace(event, audio_seconds=event.audio_seconds + at, speech_seconds=speech)
        if isinstance(event, Committed | Partial):
            return self._shifted_text(event, at)
        return event

    def _shifted_text(self, event: Committed | Partial, at: float) -> Committed | Partial:
        text = event.text
        if text and self._again and self._text and not self._session_text:
            text = self._joined(event)
        words = tuple(replace(w, start=w.start + at, end=w.end + at) for w in event.words)
        event = replace(event, text=text, start=event.start + at, end=event.end + at, words=words)
        if isinstance(event, Partial):
            return event
        self._session_text = self._session_text or bool(text)
        return replace(
            event,
            utterance=event.utterance + self._first_utterance,
            covered_until=None if event.covered_until is None else event.covered_until + at,
        )

    def _joined(self, event: Committed | Partial) -> str:
        """The first text of a session, which begins without a space, as it continues another's."""
        language = event.language if isinstance(event, Committed) else None
        first = event.text[0]  # a translation is in Latin letters, whatever is spoken
        spaced = first.isspace() or (language in _WITHOUT_SPACES and not first.isascii())
        return event.text if spaced else f" {event.text}"
