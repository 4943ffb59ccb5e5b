"""A session's events as the turns of a conversation, for Deepgram's Flux.

A turn begins with its first word and ends with its utterance. Until then it is told again, whole,
whenever its text changes; how near its end is, is how much has passed of the silence that ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from streamwhisper.errors import check_fields
from streamwhisper.events import Committed, Done, Event, Flushed, Partial, SpeechEnded
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, worded
from streamwhisper.server.dialects.deepgram.messages import Message
from streamwhisper.server.dialects.deepgram.transcript_state import TranscriptState
from streamwhisper.server.publishing.observers import ObservedSession
from streamwhisper.session.options import SessionOptions

__all__ = ["Thresholds", "Turns"]

USUAL = 0.7
"""The threshold at which silences are as long as the server has them."""
LONGEST = 120.0
"""Seconds after which a turn is ended though its speaker goes on."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a turn is over, as Flux says it.

    Attributes:
        eot_threshold: confidence at which it is; 1: silence of `eot_timeout_ms` alone ends it.
        eager_eot_threshold: confidence at which it is likely to be; None: that is not told.
        eot_timeout_ms: milliseconds of silence that end it anyhow.

    Raises:
        ValueError: a value that makes no sense.
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
        """A session's options with silences as much longer or shorter."""
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
    """What listens, and says whose turn it is.

    Attributes:
        session: that listens.
        wording: how text is written.
        thresholds: when a turn is over.
        forced: how often it was ended by the client, and that is not told yet.
        done: whether all is said.
    """

    def __init__(
        self,
        session: ObservedSession,
        wording: FormattingOptions,
        thresholds: Thresholds,
    ) -> None:
        """Begin to listen."""
        self.session = session
        self.wording = wording
        self.thresholds = thresholds
        self.forced = 0
        self.done = False
        self._heard = TranscriptState(session)
        self._index = 0
        self._start = 0.0
        self._told: str | None = None  # the turn's last transcript; None: it has not begun
        self._eager = False  # whether its end was said to be likely

    def end_turn(self) -> None:
        """The turn is over, for the client says so."""
        self.forced += 1
        self.session.flush()

    def release(self) -> None:
        """Nobody listens any more."""
        self.session.close()

    def collect(self) -> Iterator[Message]:
        """What there is to say since the last call."""
        for event in self.session.events():
            yield from self._tell(event)
        if not self.done:
            yield from self._go_on()

    @property
    def _confidence(self) -> float:
        """That nothing more is said in this turn."""
        return self.thresholds.eot_threshold * self.session.closing

    def _tell(self, event: Event) -> Iterator[Message]:
        match event:
            case SpeechEnded() | Partial():
                self._heard.take(event)
            case Committed():
                if self._heard.parts_before(event):
                    first, last = self._heard.words[0], self._heard.words[-1]
                    if last.end - first.start > LONGEST:
                        yield from self._end("timeout", self._confidence, last.end)
                if self._heard.take(event):
                    yield from self._end("model", self.thresholds.eot_threshold)
            case Flushed():
                self.forced -= 1
                yield from self._end("manual", self._confidence)
            case Done():
                yield from self._end("model", 1.0)
                self.done = True

    def _go_on(self) -> Iterator[Message]:
        """What has become of the turn, which is not over."""
        if self._heard.changed:
            self._heard.changed = False
            yield from self._update()
        if self._told is None:
            return
        eager = self.thresholds.eager_eot_threshold
        if self._eager and not self.session.closing:
            self._eager = False
            yield self._info("TurnResumed", self._confidence)
        elif eager is not None and not self._eager and self._confidence >= eager:
            self._eager = True
            yield self._info("EagerEndOfTurn", self._confidence)

    def _update(self) -> Iterator[Message]:
        text, _ = self._heard.shown
        transcript = text.strip()
        if transcript == (self._told or ""):
            return
        event = "StartOfTurn" if self._told is None else "Update"
        if self._eager:
            event, self._eager = "TurnResumed", False
        self._told = transcript
        yield self._info(event, self._confidence)

    def _end(
        self, trigger: str, confidence: float, until: float | None = None
    ) -> Iterator[Message]:
        """The turn is over, if it has begun, at `until`, or with what was heard."""
        heard = self._heard
        if self._told is not None or heard.text.strip():
            if self._told is None:
                yield self._info("StartOfTurn", 0.0, stands=True)
            yield {**self._info("EndOfTurn", confidence, stands=True), "trigger": trigger}
            self._start = self.session.covered_seconds if until is None else until
            self._index += 1
        heard.clear()
        self._told, self._eager = None, False

    def _info(self, event: str, confidence: float, *, stands: bool = False) -> Message:
        """The turn; `stands`: without the guess for what follows its text."""
        heard = self._heard
        text, words = (heard.text, heard.words) if stands else heard.shown
        wording = worded(text, words, self.wording, heard.language)
        end = max(self._start, self.session.covered_seconds, *(word.end for word in words[-1:]))
        said = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self._index,
            "audio_window_start": round(self._start, 3),
            "audio_window_end": round(end, 3),
            "transcript": wording.transcript,
            "words": [
                {
                    "word": word.word,
                    "confidence": round(word.confidence, 4),
                    "start": round(word.start, 3),
                    "end": round(word.end, 3),
                }
                for word in wording.words
            ],
            "end_of_turn_confidence": round(confidence, 4),
        }
        return {**said, "languages": list(heard.languages)} if heard.languages else said
