"""Transcripts as files: plain text, JSON, SubRip (srt), WebVTT (vtt) and tab-separated (tsv).

The formats and their layout are those of openai-whisper's writers, so what reads theirs reads
ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from streamwhisper.errors import check_fields
from streamwhisper.transcript import Segment, TimedWord, Transcript

__all__ = ["FORMATS", "SubtitleOptions", "as_record", "render", "write"]

LONG_PAUSE = 3.0
"""Seconds between the starts of two words from which they do not share a subtitle."""

Cue = tuple[str, str, str]
"""Start, end and text of a subtitle, as they are written."""


@dataclass(frozen=True, slots=True)
class SubtitleOptions:
    """How words are laid out in srt and vtt; without words a subtitle is a segment.

    Attributes:
        max_line_width: the most characters in a line.
        max_line_count: the most lines in a subtitle; with `max_line_width` subtitles go beyond
            segments.
        max_words_per_line: the most words in a subtitle.
        highlight_words: whether each word is underlined while it is spoken.

    Raises:
        ValueError: a count below 1.
    """

    max_line_width: int | None = None
    max_line_count: int | None = None
    max_words_per_line: int | None = None
    highlight_words: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of range."""
        names = ("max_line_width", "max_line_count", "max_words_per_line")
        counts = [(name, getattr(self, name)) for name in names]
        check_fields(
            self, *((name, n is None or n >= 1, "1 or more, or None") for name, n in counts)
        )


def render(transcript: Transcript, format: str, options: SubtitleOptions | None = None) -> str:
    """Return a transcript as the content of a file.

    Args:
        format: one of `FORMATS`.
        options: for srt and vtt.
    """
    return FORMATS[format](transcript, options or SubtitleOptions())


def write(
    transcript: Transcript,
    name: str,
    folder: Path,
    formats: Sequence[str],
    options: SubtitleOptions | None = None,
) -> list[Path]:
    """Write ``NAME.FORMAT`` for each format into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{format}" for format in formats]
    for path, format in zip(paths, formats, strict=True):
        path.write_text(render(transcript, format, options), encoding="utf-8")
    return paths


def as_record(transcript: Transcript) -> dict[str, object]:
    """A transcript as openai-whisper returns it."""
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


def _txt(transcript: Transcript, options: SubtitleOptions) -> str:
    return "".join(f"{segment.text.strip()}\n" for segment in transcript.segments)


def _json(transcript: Transcript, options: SubtitleOptions) -> str:
    return json.dumps(as_record(transcript))


def _tsv(transcript: Transcript, options: SubtitleOptions) -> str:
    """Times are whole milliseconds, which every spreadsheet reads alike."""
    lines = ["start\tend\ttext\n"]
    for segment in transcript.segments:
        text = segment.text.strip().replace("\t", " ")
        lines.append(f"{round(1000 * segment.start)}\t{round(1000 * segment.end)}\t{text}\n")
    return "".join(lines)


def _srt(transcript: Transcript, options: SubtitleOptions) -> str:
    cues = _cues(transcript, options, lambda s: _clock(s, hours=True, point=","))
    numbered = enumerate(cues, start=1)
    return "".join(f"{n}\n{start} --> {end}\n{text}\n\n" for n, (start, end, text) in numbered)


def _vtt(transcript: Transcript, options: SubtitleOptions) -> str:
    cues = _cues(transcript, options, lambda s: _clock(s, hours=False, point="."))
    return "WEBVTT\n\n" + "".join(f"{start} --> {end}\n{text}\n\n" for start, end, text in cues)


FORMATS: dict[str, Callable[[Transcript, SubtitleOptions], str]] = {
    "txt": _txt,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
}
"""Names of formats, which are the ends of their files' names, and what renders them."""


def _clock(seconds: float, *, hours: bool, point: str) -> str:
    """Such as ``01:02:03.456``; without hours where there are none, unless they are wanted."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    whole, minutes = divmod(minutes, 60)
    shown = f"{whole:02d}:" if hours or whole else ""
    return f"{shown}{minutes:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _cues(
    transcript: Transcript, options: SubtitleOptions, clock: Callable[[float], str]
) -> Iterator[Cue]:
    segments = transcript.segments
    if segments and segments[0].words is not None:
        for subtitle in _subtitles(segments, options):
            if options.highlight_words:
                yield from _highlighted(subtitle, clock)
            else:
                text = "".join(word.word for word in subtitle)
                yield clock(subtitle[0].start), clock(subtitle[-1].end), text
    else:
        for segment in segments:
            text = segment.text.strip().replace("-->", "->")
            yield clock(segment.start), clock(segment.end), text


def _highlighted(subtitle: Sequence[TimedWord], clock: Callable[[float], str]) -> Iterator[Cue]:
    """One cue for each word, in which it is underlined, and one for each gap between words."""
    words = [word.word for word in subtitle]
    reached = clock(subtitle[0].start)
    for index, word in enumerate(subtitle):
        start, end = clock(word.start), clock(word.end)
        if start != reached:
            yield reached, start, "".join(words)
        bare = word.word.lstrip()
        space = word.word[: len(word.word) - len(bare)]
        yield start, end, "".join([*words[:index], f"{space}<u>{bare}</u>", *words[index + 1 :]])
        reached = end


@dataclass(slots=True)
class _Layout:
    """The subtitle that is being filled.

    Attributes:
        words: those it has; a line break is part of the word behind it.
        width: characters in its last line.
        lines: how many it has.
        last: where the last word began.
    """

    last: float
    words: list[TimedWord] = field(default_factory=list)
    width: int = 0
    lines: int = 1


def _subtitles(segments: Sequence[Segment], options: SubtitleOptions) -> Iterator[list[TimedWord]]:
    """Words laid out in lines and subtitles."""
    width, most_lines = options.max_line_width or 1000, options.max_line_count
    by_segment = options.max_line_width is None or most_lines is None
    starts = (word.start for segment in segments for word in segment.words or ())
    layout = _Layout(last=next(starts, segments[0].start))
    for first, word in _runs(segments, options.max_words_per_line or 1000):
        pause = not by_segment and word.start - layout.last > LONG_PAUSE
        breaks = first and by_segment and bool(layout.words)
        fits = layout.width > 0 and layout.width + len(word.word) <= width
        layout.last = word.start
        if fits and not pause and not breaks:
            layout.width += len(word.word)
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
        layout.width = len(text.strip())
        layout.words.append(replace(word, word=text))
    if layout.words:
        yield layout.words


def _runs(segments: Sequence[Segment], most: int) -> Iterator[tuple[bool, TimedWord]]:
    """All words, and whether each is the first of its segment or of `most` words of it."""
    for segment in segments:
        for index, word in enumerate(segment.words or ()):
            yield index % most == 0, word
