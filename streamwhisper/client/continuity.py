"""Events of consecutive server sessions, merged into one stream.

After a crash another server receives the audio since the last final commit again. Its clock and
its utterance numbers begin at 0, and it repeats the words that had been committed of the unfinished
utterance. This module shifts times and numbers, and drops repeated text.
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

_BEYOND = 0.5  # seconds after the last known word from which text is certainly new
_SAME = 0.1  # seconds by which the bounds of the same speech may differ
_OPENING = 3.0  # maximum seconds between the start of speech and its event
_ROUNDING = 0.002  # seconds; times on the wire have three decimals
_WITHOUT_SPACES = {"zh", "ja", "th", "lo", "my", "yue", "km", "bo"}


class Continuity:
    """Merger of sessions; times are seconds since the client began.

    Attributes:
        released: second before which all audio is covered by events.
    """

    def __init__(self) -> None:
        self.released = 0.0
        self._offset = 0.0  # start of the current session
        self._continued = False  # whether there was a session before it
        self._first_utterance = 0  # of the current session
        self._next_utterance = 0
        self._text = False  # whether any text was committed
        self._session_text = False  # whether the current session has committed text
        self._unfinished: list[Word] = []  # committed words without a final event yet
        self._held: list[Event] | None = None  # until repeated words are recognized
        self._speaking = False  # according to the events passed on
        self._bound = 0.0  # last start or end of speech passed on
        self._open = False  # whether speech goes on in the session
        self._ended: list[tuple[float, float]] = []  # speech that is not released
        self._started = 0.0
        self._speech_before = 0.0  # seconds of speech in previous sessions
        self._speech_released = 0.0

    def begin_again(self, at: float) -> None:
        """Begin a new session, which starts at this second."""
        self._continued = True
        self._offset = at
        self._first_utterance = self._next_utterance
        self._session_text = False
        self._held = [] if self._unfinished else None
        self._open, self._ended = False, []
        self._speech_before = self._speech_released

    def receive(self, event: Event) -> list[Event]:
        """Return the events to pass on for an event of the current session; possibly none."""
        event = self._shifted(event)
        if self._held is None:
            return self._pass(event)
        if not isinstance(event, Partial):  # dropped while text is held back
            self._held.append(event)
        if not self._repeats_all(event):
            return []
        held, self._held = self._held, None
        words = [word for e in held if isinstance(e, Committed) for word in e.words]
        repeated = overlap(self._unfinished, words)
        passed: list[Event] = []
        for other in held:
            if isinstance(other, Committed):
                count = min(repeated, len(other.words))
                repeated -= count
                other = after_words(other, count)
            passed += self._pass(other)
        return passed

    def pass_silence(self, received: float, lag: float) -> None:
        """Release silence, except for the time that detecting speech takes.

        Args:
            received: seconds of audio that the current session has received.
            lag: seconds by which its transcription is behind.
        """
        waiting = self._open or self._held is not None
        if not waiting and all(end <= self.released + _ROUNDING for _, end in self._ended):
            self._release(self._offset + received - lag - _OPENING)

    def _repeats_all(self, event: Event) -> bool:
        """Return whether the session has repeated all known words by now."""
        end = self._unfinished[-1].end
        if isinstance(event, Committed):
            beyond = bool(event.words) and event.words[-1].end >= end + _BEYOND
            return beyond or (event.covered_until is not None and event.covered_until >= end)
        return isinstance(event, Flushed | Done)

    def _pass(self, event: Event) -> list[Event]:
        if isinstance(event, SpeechStarted | SpeechEnded):
            return [event] if self._new_bound(event) else []
        if isinstance(event, Committed):
            return self._pass_committed(event)
        if isinstance(event, Done) and not self._ended:  # otherwise speech was cut off
            self._release(event.audio_seconds)
        return [event]

    def _pass_committed(self, event: Committed) -> list[Event]:
        self._text = self._text or bool(event.text)
        self._unfinished += event.words
        if event.final:
            covered = inf if event.covered_until is None else event.covered_until
            # Cut-off speech has words after the covered audio; they will be repeated.
            self._unfinished = [word for word in self._unfinished if word.end > covered + _ROUNDING]
            self._next_utterance = event.utterance + 1
            if event.covered_until is not None:
                self._release(event.covered_until)
        return [event] if event.text or event.final else []

    def _new_bound(self, event: SpeechStarted | SpeechEnded) -> bool:
        """Return whether this start or end of speech was not passed on before."""
        starts = isinstance(event, SpeechStarted)
        known = self._continued and (event.at <= self._bound + _SAME or starts == self._speaking)
        if not known:
            self._speaking, self._bound = starts, event.at
        return not known

    def _release(self, at: float) -> None:
        self.released = max(self.released, at)
        done = [span for span in self._ended if span[1] <= self.released + _ROUNDING]
        self._ended = self._ended[len(done) :]
        self._speech_released += sum(end - start for start, end in done)

    def _shifted(self, event: Event) -> Event:
        """Return the event on the common clock."""
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
        if text and self._continued and self._text and not self._session_text:
            text = self._with_space(event)
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

    def _with_space(self, event: Committed | Partial) -> str:
        """Return the first text of a continued session with a space before it where needed."""
        language = event.language if isinstance(event, Committed) else None
        first = event.text[0]  # a translation is in Latin letters, whatever is spoken
        spaced = first.isspace() or (language in _WITHOUT_SPACES and not first.isascii())
        return event.text if spaced else f" {event.text}"
