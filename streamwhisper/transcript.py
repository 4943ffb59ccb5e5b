"""What offline transcription gives: a transcript of segments, and of words where asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Segment", "TimedWord", "Transcript"]


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with the punctuation around it.

    Attributes:
        word: as it is spelt, with its leading space if it has one.
        start, end: in seconds from the start of the recording.
        probability: mean over its tokens.
    """

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a transcript, such as a sentence.

    Attributes:
        id: counts from 0.
        start, end: in seconds from the start of the recording.
        text: as it is spelt, with its leading space if it has one.
        seek: where the window begins in which it was heard, in frames of 10 ms.
        tokens: of the text, timestamp tokens included where there are any.
        temperature: at which the window's text was found.
        log_probability: mean over the window's tokens.
        compression_ratio: how well zlib packs the window's text.
        no_speech_probability: of the window.
        words: None where they were not asked for.
    """

    id: int
    start: float
    end: float
    text: str
    seek: int = 0
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    log_probability: float = 0.0
    compression_ratio: float = 0.0
    no_speech_probability: float = 0.0
    words: tuple[TimedWord, ...] | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording.

    Attributes:
        text: of all segments, as it is spelt, with its leading space if it has one.
        segments: in order.
        language: the code of the language that was given or heard.
        duration: of the recording, in seconds.
    """

    text: str
    segments: tuple[Segment, ...]
    language: str
    duration: float
