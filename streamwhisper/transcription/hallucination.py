"""Finds words that were probably not spoken: improbable, very short or long, amid silence.

The thresholds are those of openai-whisper's ``hallucination_silence_threshold``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamwhisper.segment import Segment, TimedWord
from streamwhisper.transcription.segments import SegmentWindow
from streamwhisper.typography import punctuates

__all__ = ["first_with_words", "is_anomalous", "suspect"]

_WORDS = 8
_NEAR_EDGE = 2.0


def is_anomalous(segment: Segment | None) -> bool:
    """Return whether the first words of a segment were probably not spoken."""
    if segment is None or not segment.words:
        return False
    words = [word for word in segment.words if not all(map(punctuates, word.word.strip()))]
    score = sum(map(_oddity, words[:_WORDS]))
    return score >= 3 or score + 0.01 >= len(words[:_WORDS])


def first_with_words(segments: Iterable[Segment]) -> Segment | None:
    """Return the first segment that has words; None if there is none."""
    return next((segment for segment in segments if segment.words), None)


def suspect(
    segments: Sequence[Segment],
    window: SegmentWindow,
    end: float,
    last_speech: float,
    threshold: float,
) -> int | None:
    """Return the index of the first anomalous segment with silence on both sides, or None.

    Args:
        segments: of the window.
        window: the window in its recording.
        end: end of a window of full length, in seconds.
        last_speech: end of the last word before the window, in seconds.
        threshold: minimum length of a silence, in seconds.
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
