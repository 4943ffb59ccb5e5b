"""Transcripts as files: plain text, JSON, SubRip (srt), WebVTT (vtt) and tab-separated (tsv).

The formats are those of openai-whisper's writers. Subtitles follow the rules of live captions
unless `SubtitleOptions` ask for openai-whisper's layout.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from streamwhisper.errors import check_fields
from streamwhisper.segment import Segment, TimedWord
from streamwhisper.subtitles.cue import VTT_HEAD, Cue, milliseconds, srt_cue, vtt_cue
from streamwhisper.subtitles.recorded_cues import readable_cues
from streamwhisper.typography import columns, may_begin_line

__all__ = ["FORMATS", "SubtitleOptions", "Writable", "as_record", "render", "write"]

LONG_PAUSE = 3.0
"""Seconds between the starts of two words; from there on they never share a subtitle."""


class Writable(Protocol):
    """Transcript as the formats need it."""

    @property
    def text(self) -> str:
        """The text of all segments."""

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments in order of time."""

    @property
    def language(self) -> str:
        """The code of the language."""

    @property
    def duration(self) -> float:
        """The length of the recording in seconds."""


@dataclass(frozen=True, slots=True)
class SubtitleOptions:
    """Layout of srt and vtt.

    By default a cue has at most two lines of 42 columns and 6 s, and ends with its sentence or at
    a pause. Each of the first four fields, and `by_segment`, chooses the layout of openai-whisper
    instead, in which a cue without timed words is a segment.

    Attributes:
        max_line_width: maximum width of a line in columns, of which e.g. a Japanese character
            has two; None for no limit. Needs timed words, as the next three do.
        max_line_count: maximum number of lines in a subtitle; together with `max_line_width`
            a subtitle may span segments. None for no limit.
        max_words_per_line: maximum number of words in a subtitle; None for no limit.
        highlight_words: underline each word while it is spoken.
        min_cue_duration: seconds that a subtitle stays on the screen, unless the next one begins
            or the recording ends; 0 ends it with its last word.
        by_segment: openai-whisper's layout without any of the first four fields: each segment is a
            cue, however long.

    Raises:
        ValueError: a count below 1, or a negative or infinite duration.
    """

    max_line_width: int | None = None
    max_line_count: int | None = None
    max_words_per_line: int | None = None
    highlight_words: bool = False
    min_cue_duration: float = 1.0
    by_segment: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of range."""
        names = ("max_line_width", "max_line_count", "max_words_per_line")
        counts = [(name, getattr(self, name)) for name in names]
        check_fields(
            self,
            *((name, n is None or n >= 1, "1 or more, or None") for name, n in counts),
            ("min_cue_duration", 0 <= self.min_cue_duration < math.inf, "0 s or more"),
        )

    @property
    def readable(self) -> bool:
        """True for the rules of live captions, False for openai-whisper's layout."""
        counts = (self.max_line_width, self.max_line_count, self.max_words_per_line)
        return not (self.by_segment or self.highlight_words or any(counts))


def render(transcript: Writable, format: str, options: SubtitleOptions | None = None) -> str:
    """Return a transcript as the content of a file.

    Args:
        transcript: e.g. the result of `streamwhisper.transcribe`.
        format: one of `FORMATS`.
        options: layout of srt and vtt.
    """
    return FORMATS[format](transcript, options or SubtitleOptions())


def write(
    transcript: Writable,
    name: str,
    folder: Path,
    formats: Sequence[str],
    options: SubtitleOptions | None = None,
) -> list[Path]:
    """Write ``NAME.FORMAT`` for each format into `folder`, which is created if it is missing.

    Returns:
        the paths of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{format}" for format in formats]
    for path, format in zip(paths, formats, strict=True):
        path.write_text(render(transcript, format, options), encoding="utf-8")
    return paths


def as_record(transcript: Writable) -> dict[str, object]:
    """Return a transcript with the fields of openai-whisper's result.

    Segments have their ``language`` as well.
    """
    segments = []
    for segment in transcript.segments:
        record: dict[str, object] = {
            "id": segment.id,
            "seek": segment.seek,
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "tokens": list(segment.tokens),
            "temperature": segment.temperature,
            "avg_logprob": segment.log_probability,
            "compression_ratio": segment.compression_ratio,
            "no_speech_prob": segment.no_speech_probability,
        }
        if segment.language is not None:
            record["language"] = segment.language
        if segment.words is not None:
            record["words"] = [
                {
                    "word": word.word,
                    "start": word.start,
                    "end": word.end,
                    "probability": word.probability,
                }
                for word in segment.words
            ]
        segments.append(record)
    return {"text": transcript.text, "segments": segments, "language": transcript.language}


def _txt(transcript: Writable, options: SubtitleOptions) -> str:
    return "".join(f"{segment.text.strip()}\n" for segment in transcript.segments)


def _json(transcript: Writable, options: SubtitleOptions) -> str:
    return json.dumps(as_record(transcript))


def _tsv(transcript: Writable, options: SubtitleOptions) -> str:
    """Write times in whole milliseconds, which do not depend on a spreadsheet's locale."""
    lines = ["start\tend\ttext\n"]
    for segment in transcript.segments:
        text = segment.text.strip().replace("\t", " ")
        lines.append(f"{milliseconds(segment.start)}\t{milliseconds(segment.end)}\t{text}\n")
    return "".join(lines)


def _srt(transcript: Writable, options: SubtitleOptions) -> str:
    cues = _cues(transcript, options)
    return "".join(srt_cue(number, cue) for number, cue in enumerate(cues, start=1))


def _vtt(transcript: Writable, options: SubtitleOptions) -> str:
    cues = _cues(transcript, options)
    return VTT_HEAD + "".join(vtt_cue(cue, hours=False) for cue in cues)


FORMATS: dict[str, Callable[[Writable, SubtitleOptions], str]] = {
    "txt": _txt,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
}
"""Formats by name, which is the suffix of their files."""


def _cues(transcript: Writable, options: SubtitleOptions) -> list[Cue]:
    """Return the cues, each long enough to be read."""
    segments = transcript.segments
    cues = readable_cues(segments) if options.readable else list(_laid_out(segments, options))
    latest = [after.start for _, after in pairwise(cues)] + [transcript.duration] * bool(cues)
    return [
        replace(cue, end=max(cue.end, min(cue.start + options.min_cue_duration, last)))
        for cue, last in zip(cues, latest, strict=True)
    ]


def _laid_out(segments: Sequence[Segment], options: SubtitleOptions) -> Iterator[Cue]:
    if segments and segments[0].words is not None:
        for subtitle in _subtitles(segments, options):
            if options.highlight_words:
                yield from _highlighted(subtitle)
            else:
                text = "".join(word.word for word in subtitle)
                yield Cue(subtitle[0].start, subtitle[-1].end, text)
    else:
        for segment in segments:
            yield Cue(segment.start, segment.end, segment.text.strip())


def _highlighted(subtitle: Sequence[TimedWord]) -> Iterator[Cue]:
    """One cue for each word, in which it is underlined, and one for each gap between words."""
    text = "".join(word.word for word in subtitle)
    reached, end = subtitle[0].start, 0
    for word in subtitle:
        if milliseconds(word.start) != milliseconds(reached):
            yield Cue(reached, word.start, text)
        end += len(word.word)
        yield Cue(word.start, word.end, text, (end - len(word.word.lstrip()), end))
        reached = word.end


@dataclass(slots=True)
class _Layout:
    """The subtitle that is being filled.

    Attributes:
        last: start of the last word, in seconds.
        words: words so far; a line break is part of the word after it.
        width: columns in the last line.
        lines: number of lines.
    """

    last: float
    words: list[TimedWord] = field(default_factory=list)
    width: int = 0
    lines: int = 1


def _subtitles(segments: Sequence[Segment], options: SubtitleOptions) -> Iterator[list[TimedWord]]:
    """Lay words out in lines and subtitles."""
    width, most_lines = options.max_line_width or 1000, options.max_line_count
    by_segment = options.max_line_width is None or most_lines is None
    starts = (word.start for segment in segments for word in segment.words or ())
    layout = _Layout(last=next(starts, segments[0].start))
    for first, word in _runs(segments, options.max_words_per_line or 1000):
        pause = not by_segment and word.start - layout.last > LONG_PAUSE
        breaks = first and by_segment and bool(layout.words)
        fits = layout.width > 0 and layout.width + columns(word.word) <= width
        layout.last = word.start
        clings = bool(layout.words) and not _may_begin(word.word)
        if clings or (fits and not pause and not breaks):
            layout.width += columns(word.word)
            layout.words.append(word)
            continue
        text = word.word.strip()
        full = most_lines is not None and (pause or layout.lines >= most_lines)
        if breaks or (full and layout.words):
            yield layout.words
            layout.words, layout.lines = [], 1
        elif layout.width:
            layout.lines += 1
            text = f"\n{text}"
        layout.width = columns(text.strip())
        layout.words.append(replace(word, word=text))
    if layout.words:
        yield layout.words


def _may_begin(word: str) -> bool:
    """Return whether a line may begin with a word."""
    return not word or word[0].isspace() or may_begin_line(word[0])


def _runs(segments: Sequence[Segment], most: int) -> Iterator[tuple[bool, TimedWord]]:
    """Yield all words; True marks the first of a segment and of each `most` words of it."""
    for segment in segments:
        for index, word in enumerate(segment.words or ()):
            yield index % most == 0, word
