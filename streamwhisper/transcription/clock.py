"""Times of a transcript: in order, never empty, and never after the recording's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streamwhisper.intervals import spread
from streamwhisper.segment import Segment, TimedWord

__all__ = ["on_the_clock"]

UNIT = 100
"""Units in a second; words and segments start and end at multiples of 10 ms."""
LEAST = 2
MOST = 10
"""Units that a word takes at most from the pause after it."""

Times = tuple[float, float]


def on_the_clock(
    segments: Sequence[Segment], seconds: float, reached: float = 0.0
) -> list[Segment]:
    """Return segments whose times, and whose words' times, are in order and not empty.

    Args:
        segments: in order.
        seconds: length of the recording; nothing ends later.
        reached: end of the segment before; nothing starts earlier.
    """
    words = [word for segment in segments for word in segment.words or ()]
    timed = iter(_placed([(word.start, word.end) for word in words], seconds, reached))
    found = [
        _with_words(segment, [next(timed) for _ in segment.words or ()]) for segment in segments
    ]
    times = _placed([(segment.start, segment.end) for segment in found], seconds, reached)
    return [
        segment
        if (segment.start, segment.end) == (start, end)
        else replace(segment, start=start, end=end)
        for segment, (start, end) in zip(found, times, strict=True)
    ]


def _placed(times: Sequence[Times], seconds: float, reached: float) -> list[Times]:
    """Return times as `spread` places them; those that it does not move stay as they are."""
    units = [(round(start * UNIT), round(end * UNIT)) for start, end in times]
    bounds = round(reached * UNIT), int(seconds * UNIT + 1e-6)
    placed = spread(units, earliest=bounds[0], latest=bounds[1], least=LEAST, most=MOST)
    return [
        given if new == old else (new[0] / UNIT, new[1] / UNIT)
        for given, old, new in zip(times, units, placed, strict=True)
    ]


def _with_words(segment: Segment, times: Sequence[Times]) -> Segment:
    """Return the segment with the times of its words, and long enough for them."""
    if not segment.words:
        return segment
    words: list[TimedWord] = [
        word if (word.start, word.end) == (start, end) else replace(word, start=start, end=end)
        for word, (start, end) in zip(segment.words, times, strict=True)
    ]
    start, end = min(segment.start, words[0].start), max(segment.end, words[-1].end)
    return replace(segment, start=start, end=end, words=tuple(words))
