"""The segments of one window's text, cut where its timestamp tokens say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamwhisper.results import Segment
from streamwhisper.whisper.alignment import SECONDS_PER_POSITION
from streamwhisper.whisper.search import SearchResult
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["FRAMES_PER_SECOND", "FRAMES_PER_STAMP", "Cut", "Window", "cut", "new_segment"]

FRAMES_PER_SECOND = 100
FRAMES_PER_STAMP = 2


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a recording that is heard at once, in frames of 10 ms."""

    first: int
    frames: int

    @property
    def start(self) -> float:
        """In seconds."""
        return self.first / FRAMES_PER_SECOND

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Cut:
    """Segments of a window, and what follows them.

    Attributes:
        frames: from the window's start to where the next one may begin.
        complete: whether the text ends with the end of a segment after which nobody speaks.
    """

    segments: list[Segment]
    frames: int
    complete: bool


def cut(tokenizer: Tokenizer, window: Window, result: SearchResult, *, whole: bool = False) -> Cut:
    """Cut a window's text into segments.

    A segment ends where two timestamps meet. The text after the last of these is not finished:
    the next window begins with it.

    Args:
        whole: no other window follows, so what is not finished is a segment, too.
    """
    tokens, begin = result.tokens, tokenizer.timestamp_begin
    stamps = [token >= begin for token in tokens]
    complete = stamps[-2:] == [False, True]
    meets = [i for i in range(1, len(tokens)) if stamps[i - 1] and stamps[i]]
    if not meets:
        last = next((token for token in reversed(tokens) if token >= begin), begin)
        seconds = _seconds(last, begin) if last != begin else window.seconds
        end = window.start + seconds
        segment = new_segment(tokenizer, window, result, window.start, end, tokens)
        return Cut([segment], window.frames, complete)
    segments, first = [], 0
    for end_of in [*meets, len(tokens)] if complete else meets:
        own = tokens[first:end_of]
        start, end = (window.start + _seconds(token, begin) for token in (own[0], own[-1]))
        segments.append(new_segment(tokenizer, window, result, start, end, own))
        first = end_of
    if complete:
        return Cut(segments, window.frames, complete)
    if whole and len(tokens) > first + 1:
        start = window.start + _seconds(tokens[first], begin)
        end = window.start + window.seconds
        segments.append(new_segment(tokenizer, window, result, start, end, tokens[first:]))
    return Cut(segments, (tokens[first - 1] - begin) * FRAMES_PER_STAMP, complete)


def new_segment(
    tokenizer: Tokenizer,
    window: Window,
    result: SearchResult,
    start: float,
    end: float,
    tokens: Sequence[int],
) -> Segment:
    """A segment with part of a window's tokens; its number is not known yet."""
    return Segment(
        id=0,
        start=start,
        end=end,
        text=tokenizer.decode(tokens),
        seek=window.first,
        tokens=tuple(tokens),
        temperature=result.temperature,
        log_probability=result.log_probability,
        compression_ratio=result.compression_ratio,
        no_speech_probability=result.no_speech_probability,
    )


def _seconds(stamp: int, begin: int) -> float:
    # What is no timestamp, after a prefix or where texts were stitched, stands at the start.
    return max(0, stamp - begin) * SECONDS_PER_POSITION
