"""What a session says: frozen events with times in seconds on the session's sample clock.

Two kinds of text, never mixed: `Committed` is append-only and never changes; each `Partial`
replaces the one before it, whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.deprecation import renamed_fields

__all__ = [
    "Committed",
    "Done",
    "Event",
    "Flushed",
    "Partial",
    "SpeechEnded",
    "SpeechStarted",
    "Word",
]


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is written, with the punctuation that clings to it.

    Attributes:
        word: the text, without surrounding spaces.
        start: where it begins, in seconds from the first sample of the session.
        end: where it ends.
        confidence: mean token probability, 0 to 1.
    """

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The voice activity gate opened; `at` is in seconds."""

    at: float


@renamed_fields(decided="detected_at")
@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The voice activity gate closed; speech ended `at` this second.

    Attributes:
        detected_at: seconds of audio received when this was decided.
    """

    at: float
    detected_at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """The present guess for what follows the committed text. Replaces the last one."""

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()


@renamed_fields(heard="covered_until")
@dataclass(frozen=True, slots=True)
class Committed:
    """Text that will never change.

    Attributes:
        text: to be appended as it stands; all `text` joined is the transcript, spaces included.
        language: what is spoken: its code, such as ``"en"``; None where that was not found yet.
        utterance: number of the utterance, from 0.
        final: whether this is the last one of its utterance (its text may be empty).
        heard: of a final one: all sound before this second is dealt with, and what comes next
            was said after it. Speech that was cut off, for the server stops, is not dealt with:
            its words come after this second, and go on in another session from here.
    """

    text: str
    start: float
    end: float
    words: tuple[Word, ...]
    language: str | None
    utterance: int
    final: bool
    covered_until: float | None = None


@dataclass(frozen=True, slots=True)
class Flushed:
    """Everything heard before the flush of this `id` is committed."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """The session is over and everything is committed."""

    audio_seconds: float
    speech_seconds: float


Event = SpeechStarted | SpeechEnded | Partial | Committed | Flushed | Done
