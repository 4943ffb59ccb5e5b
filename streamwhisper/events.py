"""Events of a session: frozen dataclasses with times in seconds on the session's sample clock.

Text comes in two kinds: `Committed` text is append-only and never changes; each `Partial` replaces
the previous one.
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
    """One word with its punctuation.

    Attributes:
        word: text without surrounding spaces.
        start: start of the word, in seconds from the first sample of the session.
        end: end of the word, in seconds from the first sample of the session.
        confidence: mean token probability, 0 to 1.
    """

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Start of speech.

    Attributes:
        at: second at which speech starts.
    """

    at: float


@renamed_fields(decided="detected_at")
@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """End of speech.

    Attributes:
        at: second at which speech ends.
        detected_at: seconds of audio received when this was decided.
    """

    at: float
    detected_at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """Text after the committed text that may still change; replaces the previous `Partial`.

    Attributes:
        text: the text; append it to the committed text for display.
        start: second at which the first word starts.
        end: second at which the last word ends.
        words: words of the text.
    """

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()


@renamed_fields(heard="covered_until")
@dataclass(frozen=True, slots=True)
class Committed:
    """Text that never changes.

    Attributes:
        text: text to append, spaces included; all `text` joined is the transcript.
        start: second at which the first word starts.
        end: second at which the last word ends.
        words: words of the text.
        language: code of the spoken language, e.g. ``"en"``; None before it is detected.
        utterance: number of the utterance, from 0.
        final: whether this event ends its utterance; its text may be empty.
        covered_until: second up to which all audio is transcribed, in a final event; None
            otherwise. When the audio was cut off during speech, the words of that speech lie
            after this second, and another session continues from here.
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
    """Answer to a flush: all audio before it is committed.

    Attributes:
        id: identifier given to the flush.
    """

    id: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """End of the session: all text is committed.

    Attributes:
        audio_seconds: seconds of audio received.
        speech_seconds: seconds of speech in it.
    """

    audio_seconds: float
    speech_seconds: float


Event = SpeechStarted | SpeechEnded | Partial | Committed | Flushed | Done
