"""Words that were probably never said: hardly believed, very short or very long, amid silence.

The figures are those of openai-whisper's ``hallucination_silence_threshold``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamwhisper.segment import Segment, TimedWord
from streamwhisper.transcription.segments import SegmentWindow
from streamwhisper.whisper.timing import Punctuation

__all__ = ["first_with_words", "is_anomalous", "suspect"]

_SIGNS = Punctuation().before + Punctuation().after
_WORDS = 8
_NEAR_EDGE = 2.0


def is_anomalous(segment: Segment | None) -> bool:
    """Whether the first words of a segment look as if nobody had said them."""
    if segment is None or not segment.words:
        return False
    words = [word for word in segment.words if word.word not in _SIGNS][:_WORDS]
    score = sum(map(_oddity, words))
    return score >= 3 or score + 0.01 >= len(words)


def first_with_words(segments: Iterable[Segment]) -> Segment | None:
    """The first segment that has any."""
    return next((segment for segment in segments if segment.words), None)


def suspect(
    segments: Sequence[Segment],
    window: SegmentWindow,
    end: float,
    last_speech: float,
    threshold: float,
) -> int | None:
    """Find the first segment that is anomalous and has silence, or the like, on either side.

    Args:
        end: seconds at which a window of full length would end.
        last_speech: seconds at which the last word before the window ends.
        threshold: seconds that count as silence.
    """
    before = last_speech
    for index, segment in enumerate(segments):
        if not segment.words:
            continue
        if is_anomalous(segment):
            following = first_with_words(segments[index + 1 :])
            next_start = window.start + window.seconds
            if following is not None and following.words:
                next_start = following.words[0].start
            silence_before = (
                segment.start - before > threshold
                or segment.start < threshold
                or segment.start - window.start < _NEAR_EDGE
            )
            silence_after = (
                next_start - segment.end > threshold
                or is_anomalous(following)
                or end - segment.end < _NEAR_EDGE
            )
            if silence_before and silence_after:
                return index
        before = segment.end
    return None


def _oddity(word: TimedWord) -> float:
    duration = word.end - word.start
    doubted = 1.0 if word.probability < 0.15 else 0.0
    return doubted + max(0.0, 0.133 - duration) * 15 + max(0.0, duration - 2.0)
