"""Cuts the text of one window into segments, by its timestamp tokens or by sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamwhisper.audio.constants import FRAMES_PER_SECOND, SECONDS_PER_POSITION
from streamwhisper.segment import Segment, SegmentScores
from streamwhisper.typography import ends_sentence
from streamwhisper.whisper.search import SearchResult
from streamwhisper.whisper.timing import AlignedWord
from streamwhisper.whisper.tokenizer import Tokenizer
from streamwhisper.whisper.word_boundaries import word_runs

__all__ = ["Cut", "SegmentWindow", "cut", "sentences", "whole"]

FRAMES_PER_STAMP = 2
SHORTEST = 1.0
"""Minimum length of a sentence, in seconds; a shorter one may be an abbreviation, e.g. "Mr."."""
LONGEST = 15.0
PAUSE = 1.5
"""Seconds between the onsets of two words; from there on a segment ends, too."""


@dataclass(frozen=True, slots=True)
class SegmentWindow:
    """A stretch of a recording that is transcribed at once.

    Attributes:
        first: first frame (10 ms).
        frames: number of frames.
    """

    first: int
    frames: int

    @property
    def start(self) -> float:
        """Start in seconds."""
        return self.first / FRAMES_PER_SECOND

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Cut:
    """Segments of a window.

    Attributes:
        segments: in order of time.
        frames: number of frames from the window's start to where the next window may begin.
        complete: whether the text ends with a single timestamp, i.e. no speech follows.
    """

    segments: list[Segment]
    frames: int
    complete: bool


def cut(tokenizer: Tokenizer, window: SegmentWindow, result: SearchResult) -> Cut:
    """Cut a window's text into segments by its timestamps.

    A segment ends where two timestamps meet. The text after the last such place is not finished;
    the next window begins there (see `streamwhisper.whisper.windows.finished`).
    """
    tokens, begin = result.tokens, tokenizer.timestamp_begin
    stamps = [token >= begin for token in tokens]
    complete = stamps[-2:] == [False, True]
    meets = [i for i in range(1, len(tokens)) if stamps[i - 1] and stamps[i]]
    if not meets:
        last = next((token for token in reversed(tokens) if token >= begin), begin)
        seconds = _seconds(last, begin) if last != begin else window.seconds
        segment = _segment(tokenizer, window, result, 0.0, seconds, tokens)
        return Cut([segment], window.frames, complete)
    segments, first = [], 0
    for end in [*meets, len(tokens)] if complete else meets:
        own = tokens[first:end]
        times = _seconds(own[0], begin), _seconds(own[-1], begin)
        segments.append(_segment(tokenizer, window, result, *times, own))
        first = end
    if complete:
        return Cut(segments, window.frames, complete)
    return Cut(segments, (tokens[first - 1] - begin) * FRAMES_PER_STAMP, complete)


def sentences(
    tokenizer: Tokenizer,
    window: SegmentWindow,
    result: SearchResult,
    words: Sequence[AlignedWord],
) -> list[Segment]:
    """Cut a window's text into sentences, and long sentences at their pauses.

    Args:
        tokenizer: decodes tokens.
        window: the window in its recording.
        result: the window's text.
        words: words of the text, and the signs between them.
    """
    return [
        _segment(
            tokenizer,
            window,
            result,
            own[0].start,
            own[-1].end,
            [token for word in own for token in word.tokens],
        )
        for own in _sentences(words)
    ]


def whole(tokenizer: Tokenizer, window: SegmentWindow, result: SearchResult) -> Segment:
    """Return all text of a window as one segment."""
    return _segment(tokenizer, window, result, 0.0, window.seconds, result.tokens)


def _sentences(words: Sequence[AlignedWord]) -> Iterator[list[AlignedWord]]:
    own: list[AlignedWord] = []
    reached = 0
    for run in word_runs([word.text for word in words]):
        if own:
            text, seconds = "".join(part.text for part in own), own[-1].end - own[0].start
            ends = ends_sentence(text) and seconds >= SHORTEST
            # A pause counts as part of the word, or the sign, before it.
            long = words[run.start].end - own[0].start > LONGEST
            if ends or own[-1].duration >= PAUSE or long:
                yield own
                own = []
        own += words[run.start : run.stop]
        reached = run.stop
    own += words[reached:]
    if own:
        yield own


def _segment(
    tokenizer: Tokenizer,
    window: SegmentWindow,
    result: SearchResult,
    start: float,
    end: float,
    tokens: Sequence[int],
) -> Segment:
    """Return a segment with part of a window's tokens; its number is not known yet.

    Args:
        start, end: seconds from the window's start.
    """
    return Segment(
        id=0,
        start=window.start + start,
        end=window.start + end,
        text=tokenizer.decode(tokens),
        seek=window.first,
        tokens=tuple(tokens),
        scores=SegmentScores(
            result.temperature,
            result.log_probability,
            result.compression_ratio,
            result.no_speech_probability,
        ),
        language=result.language,
    )


def _seconds(stamp: int, begin: int) -> float:
    # After a prefix, the first token may be no timestamp; it counts as the start.
    return max(0, stamp - begin) * SECONDS_PER_POSITION
