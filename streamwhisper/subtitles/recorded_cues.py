"""Cues of one or two lines from the transcript of a recording, by the rules of live captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from streamwhisper.events import Committed, Word
from streamwhisper.segment import Segment, TimedWord
from streamwhisper.subtitles.cue import Cue
from streamwhisper.subtitles.line_breaks import LINE, LINES, break_lines, clusters
from streamwhisper.subtitles.live_cues import LONGEST, Captions, wrapped
from streamwhisper.typography import columns, unspaced

__all__ = ["readable_cues"]


def readable_cues(segments: Sequence[Segment]) -> list[Cue]:
    """Return cues of at most two lines of 42 columns and 6 s, cut at sentences and pauses.

    A segment without timed words is divided by the width of its text.
    """
    captions, cues = Captions(), dict[int, Cue]()
    for segment in segments:
        words = [part for word in _whole_words(_timed(segment)) for part in _narrow(word)]
        cues.update(captions.add(_event(segment, words)))
    return [replace(wrapped(cue), end=min(cue.end, cue.start + LONGEST)) for cue in cues.values()]


def _event(segment: Segment, words: Sequence[TimedWord]) -> Committed:
    """Return the words as committed text."""
    text = "".join(word.word for word in words)
    spoken = tuple(Word(word.word, word.start, word.end, word.probability) for word in words)
    return Committed(text, segment.start, segment.end, spoken, segment.language, 0, False)


def _timed(segment: Segment) -> Iterator[TimedWord]:
    """Yield the timed words of a segment; without them, parts timed by their width."""
    if segment.words is not None:
        yield from segment.words
        return
    parts = list(_parts(segment.text))
    widths = [max(1, columns(part.strip())) for part in parts]
    seconds = (segment.end - segment.start) / max(1, sum(widths))
    done = 0
    for part, width in zip(parts, widths, strict=True):
        start, end = (segment.start + seconds * at for at in (done, done + width))
        yield TimedWord(part, start, end, 1.0)
        done += width


def _parts(text: str) -> Iterator[str]:
    """Yield the words of a text, each with a space in front, and shorter parts of long scripts."""
    for word in text.split():
        space = " "
        for part in clusters(word) if any(map(unspaced, word)) else [word]:
            yield space + part
            space = ""


def _whole_words(words: Iterator[TimedWord]) -> Iterator[TimedWord]:
    """Yield the words; signs by themselves are part of the word before them, or of the first."""
    held: TimedWord | None = None
    for word in words:
        if held is None:
            held = word
        elif any(map(str.isalnum, word.word)) and any(map(str.isalnum, held.word)):
            yield held
            held = word
        else:
            held = replace(held, word=held.word + word.word, end=max(held.end, word.end))
    if held is not None:
        yield held


def _narrow(word: TimedWord) -> Iterator[TimedWord]:
    """Yield a word; in parts if it is wider than a cue."""
    text = word.word.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    width = columns(text)
    if width <= LINE * LINES:
        yield replace(word, word=text)
        return
    at = done = 0
    for line in break_lines(text):
        end = text.index(line, at) + len(line)
        part, at = text[at:end], end
        reached = done + columns(part)
        start, until = (word.start + (word.end - word.start) * x / width for x in (done, reached))
        yield replace(word, word=part, start=start, end=until)
        done = reached
