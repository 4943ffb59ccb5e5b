"""Turns of a conversation for Deepgram Flux.

A turn begins with its first word and ends with its utterance. Until then, every change of its text
is sent with the whole turn. The end-of-turn confidence is the share of the final silence that has
passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from streamwhisper.errors import check_fields
from streamwhisper.events import Committed, Done, Event, Flushed, Partial, SpeechEnded
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, format_text
from streamwhisper.server.dialects.deepgram.messages import Message
from streamwhisper.server.dialects.deepgram.transcript_state import TranscriptState
from streamwhisper.server.publishing.observers import ObservedSession
from streamwhisper.session.options import SessionOptions

__all__ = ["Thresholds", "Turns"]

USUAL = 0.7
"""Threshold at which the silences are those of the server."""
LONGEST = 120.0
"""Maximum duration of a turn in seconds."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds of the end of a turn.

    Attributes:
        eot_threshold: confidence at which a turn ends; 1: only `eot_timeout_ms` ends it.
        eager_eot_threshold: confidence at which `EagerEndOfTurn` is sent; None: never.
        eot_timeout_ms: silence in milliseconds that always ends a turn.

    Raises:
        ValueError: a threshold is out of range.
    """

    eot_threshold: float = USUAL
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int = 5000

    def __post_init__(self) -> None:
        eot, eager = self.eot_threshold, self.eager_eot_threshold
        check_fields(
            self,
            ("eot_threshold", 0.5 <= eot <= 1, "0.5 to 1"),
            (
                "eager_eot_threshold",
                eager is None or 0.3 <= eager <= eot,
                f"0.3 to eot_threshold ({eot})",
            ),
            ("eot_timeout_ms", 500 <= self.eot_timeout_ms <= 10_000, "500 to 10000"),
        )

    def applied(self, options: SessionOptions) -> SessionOptions:
        """Return a session's options with scaled silences."""
        scale, longest = self.eot_threshold / USUAL, self.eot_timeout_ms / 1000
        gate, endpoint = options.gate, options.endpoint

        def silence(seconds: float) -> float:
            return longest if self.eot_threshold == 1 else min(seconds * scale, longest)

        usual = silence(gate.silence)
        sooner = max(endpoint.settle_time, silence(endpoint.silence_after_sentence))
        return replace(
            options,
            gate=replace(gate, silence=usual, post_roll=min(gate.post_roll, usual)),
            endpoint=replace(
                endpoint,
                silence_after_sentence=sooner,
                silence_mid_sentence=max(sooner, silence(endpoint.silence_mid_sentence)),
            ),
        )


class Turns:
    """Session of one stream, and its turns.

    Attributes:
        session: the session of the stream.
        formatting: options of the text.
        thresholds: thresholds of the end of a turn.
        forced: number of ForceEndTurn messages without an answer.
        done: whether all messages were returned.
    """

    def __init__(
        self,
        session: ObservedSession,
        formatting: FormattingOptions,
        thresholds: Thresholds,
    ) -> None:
        """Create the turns of a session."""
        self.session = session
        self.formatting = formatting
        self.thresholds = thresholds
        self.forced = 0
        self.done = False
        self._state = TranscriptState(session)
        self._index = 0
        self._start = 0.0
        self._last_sent: str | None = None  # last transcript of the turn; None: not begun
        self._eager = False  # EagerEndOfTurn was sent

    def end_turn(self) -> None:
        """End the current turn on request of the client."""
        self.forced += 1
        self.session.flush()

    def release(self) -> None:
        """Close the session."""
        self.session.close()

    def collect(self) -> Iterator[Message]:
        """Yield the messages since the last call."""
        for event in self.session.events():
            yield from self._messages_of(event)
        if not self.done:
            yield from self._progress()

    @property
    def _confidence(self) -> float:
        """Confidence that the current turn has ended."""
        return self.thresholds.eot_threshold * self.session.closing

    def _messages_of(self, event: Event) -> Iterator[Message]:
        match event:
            case SpeechEnded() | Partial():
                self._state.take(event)
            case Committed():
                if self._state.parts_before(event):
                    first, last = self._state.words[0], self._state.words[-1]
                    if last.end - first.start > LONGEST:
                        yield from self._end("timeout", self._confidence, last.end)
                if self._state.take(event):
                    yield from self._end("model", self.thresholds.eot_threshold)
            case Flushed():
                self.forced -= 1
                yield from self._end("manual", self._confidence)
            case Done():
                yield from self._end("model", 1.0)
                self.done = True

    def _progress(self) -> Iterator[Message]:
        """Yield the changes of a turn that has not ended."""
        if self._state.changed:
            self._state.changed = False
            yield from self._update()
        if self._last_sent is None:
            return
        eager = self.thresholds.eager_eot_threshold
        if self._eager and not self.session.closing:
            self._eager = False
            yield self._info("TurnResumed", self._confidence)
        elif eager is not None and not self._eager and self._confidence >= eager:
            self._eager = True
            yield self._info("EagerEndOfTurn", self._confidence)

    def _update(self) -> Iterator[Message]:
        text, _ = self._state.shown
        transcript = text.strip()
        if transcript == (self._last_sent or ""):
            return
        event = "StartOfTurn" if self._last_sent is None else "Update"
        if self._eager:
            event, self._eager = "TurnResumed", False
        self._last_sent = transcript
        yield self._info(event, self._confidence)

    def _end(
        self, trigger: str, confidence: float, until: float | None = None
    ) -> Iterator[Message]:
        """Yield the end of the current turn, if it has begun, at `until` or the covered audio."""
        state = self._state
        if self._last_sent is not None or state.text.strip():
            if self._last_sent is None:
                yield self._info("StartOfTurn", 0.0, final=True)
            yield {**self._info("EndOfTurn", confidence, final=True), "trigger": trigger}
            self._start = self.session.covered_seconds if until is None else until
            self._index += 1
        state.clear()
        self._last_sent, self._eager = None, False

    def _info(self, event: str, confidence: float, *, final: bool = False) -> Message:
        """Return a message about the turn; `final`: without the hypothesis."""
        state = self._state
        text, words = (state.text, state.words) if final else state.shown
        formatted = format_text(text, words, self.formatting, state.language)
        end = max(self._start, self.session.covered_seconds, *(word.end for word in words[-1:]))
        message = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self._index,
            "audio_window_start": round(self._start, 3),
            "audio_window_end": round(end, 3),
            "transcript": formatted.transcript,
            "words": [
                {
                    "word": word.word,
                    "confidence": round(word.confidence, 4),
                    "start": round(word.start, 3),
                    "end": round(word.end, 3),
                }
                for word in formatted.words
            ],
            "end_of_turn_confidence": round(confidence, 4),
        }
        return {**message, "languages": list(state.languages)} if state.languages else message
