"""Segments of a transcript and their timed words."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Segment", "SegmentScores", "TimedWord"]


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with the punctuation around it.

    Attributes:
        word: the text as spelled by the model, usually with a leading space.
        start, end: seconds from the start of the recording.
        probability: mean over the word's tokens, 0 to 1.
    """

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class SegmentScores:
    """Scores of the window that contains a segment.

    Attributes:
        temperature: sampling temperature at which the window's text was accepted.
        log_probability: mean over the window's tokens.
        compression_ratio: length of the window's text over its zlib-compressed length.
        no_speech_probability: probability that the window contains no speech.
    """

    temperature: float = 0.0
    log_probability: float = 0.0
    compression_ratio: float = 0.0
    no_speech_probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a transcript, e.g. a sentence.

    Attributes:
        id: position in the transcript, from 0.
        start, end: seconds from the start of the recording.
        text: the text as spelled by the model, usually with a leading space.
        seek: first frame (10 ms) of the window that contains the segment.
        tokens: tokens of the text, including timestamp tokens if the model wrote them.
        scores: certainty of the window; each score is an attribute of the segment as well.
        words: timed words; None if word timestamps were not requested.
        language: code of the language that is spoken; None if unknown.
    """

    id: int
    start: float
    end: float
    text: str
    seek: int = 0
    tokens: tuple[int, ...] = field(default=(), repr=False)
    scores: SegmentScores = field(default_factory=SegmentScores, repr=False)
    words: tuple[TimedWord, ...] | None = None
    language: str | None = None

    @property
    def temperature(self) -> float:
        """Sampling temperature at which the window's text was accepted."""
        return self.scores.temperature

    @property
    def log_probability(self) -> float:
        """Mean over the window's tokens."""
        return self.scores.log_probability

    @property
    def compression_ratio(self) -> float:
        """Length of the window's text over its zlib-compressed length."""
        return self.scores.compression_ratio

    @property
    def no_speech_probability(self) -> float:
        """Probability that the window contains no speech."""
        return self.scores.no_speech_probability
