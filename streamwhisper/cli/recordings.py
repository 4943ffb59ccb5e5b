"""Reads recordings from files and standard input, and writes their transcripts."""

from __future__ import annotations

import io
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from streamwhisper.cli.destination import Destination
from streamwhisper.cli.inputs import STANDARD_INPUT
from streamwhisper.errors import AudioFormatError, reason_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from streamwhisper.audio.formats import AudioFormat
    from streamwhisper.audio.opening import Selection
    from streamwhisper.audio.timeline import ReadReport
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.subtitles.writers import SubtitleOptions
    from streamwhisper.transcript import Transcript
    from streamwhisper.transcription.options import TranscriptionOptions

__all__ = [
    "OutputWriter",
    "problems",
    "stem",
    "summary",
    "track_notice",
    "transcribe_files",
]

MISSING = 0.5
"""Seconds by which a recording may be shorter than its declared duration ..."""
MISSING_SHARE = 0.001
"""... or the share of it, if that is more."""


@dataclass(frozen=True, slots=True)
class OutputWriter:
    """Writer of transcripts to files or standard output.

    Attributes:
        destination: format and place.
        json_lines: print one JSON object per recording as well.
        titled: whether each text is printed below the name of its file.
        timed: whether JSON has the times of words.
        layout: layout of subtitles.
    """

    destination: Destination
    json_lines: bool
    titled: bool
    timed: bool
    layout: SubtitleOptions

    def put(self, file: Path, transcript: Transcript) -> str:
        """Write a transcript; return what was done, e.g. "wrote talk.srt", or "" if printed."""
        from streamwhisper.console import print_json, print_notice, print_transcript
        from streamwhisper.subtitles.writers import as_record, render

        if not transcript.text.strip():
            print_notice(f"{_shown(file)}: no speech found")
        shown = transcript if self.timed else _without_words(transcript)
        if self.json_lines:
            print_json({"file": str(file), "duration": shown.duration, **as_record(shown)})
        paths = self.destination.paths(stem(file))
        if not paths:
            if not self.json_lines:
                format = self.destination.format
                whole = shown if format == "json" else transcript
                text = render(whole, format, self.layout).rstrip("\n")
                print_transcript(text, str(file) if self.titled else None)
            return ""
        done = "replaced" if any(path.exists() for path in paths.values()) else "wrote"
        for format, path in paths.items():
            whole = shown if format == "json" else transcript
            path.write_text(render(whole, format, self.layout), encoding="utf-8")
        return f"{done} {', '.join(map(str, paths.values()))}"


@dataclass(slots=True)
class _AudioReader:
    """Reader of files in order; reports and skips those that cannot be read."""

    files: list[Path]
    raw: AudioFormat | None
    selection: Selection
    read: deque[Path] = field(default_factory=deque)
    failed: int = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for file in self.files:
            try:
                samples = self._samples(file)
            except (AudioFormatError, OSError) as error:
                self._fail(
                    str(error)
                    if isinstance(error, AudioFormatError)
                    else f"{_shown(file)}: {reason_of(error)}"
                )
                continue
            self.read.append(file)
            yield samples

    def _samples(self, file: Path) -> NDArray[np.float32]:
        from streamwhisper.audio.files import check_file, decode_file, join_pieces
        from streamwhisper.audio.timeline import ReadReport
        from streamwhisper.console import print_notice

        report = ReadReport()
        if file != STANDARD_INPUT:
            check_file(file)
        with _opened(file) as source:
            try:
                samples = join_pieces(
                    decode_file(source, self.raw, selection=self.selection, report=report)
                )
            except AudioFormatError as error:
                raise AudioFormatError(f"{_shown(file)}: {error}") from error
            if notice := track_notice(file, report, self.selection):
                print_notice(notice)
            for problem in problems(None if self.raw else source, report, self.selection):
                self._fail(f"{_shown(file)}: {problem}; the rest is transcribed")
        return samples

    def _fail(self, message: str) -> None:
        from streamwhisper.console import print_error

        self.failed += 1
        print_error(message)


def transcribe_files(
    recognizer: LocalRecognizer,
    files: list[Path],
    raw: AudioFormat | None,
    selection: Selection,
    options: TranscriptionOptions,
    writer: OutputWriter,
) -> bool:
    """Transcribe the files that can be read; return whether all could be."""
    from streamwhisper.audio.durations import declared_seconds
    from streamwhisper.console import print_error, print_notice, recordings_bar
    from streamwhisper.transcription.transcribe import transcribe_samples

    lengths = [
        None if raw or file == STANDARD_INPUT else declared_seconds(file, selection.track)
        for file in files
    ]
    total = sum(length or 0.0 for length in lengths) or None
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    reader = _AudioReader(files, raw, selection)
    began, seconds, count, done = time.monotonic(), 0.0, 0, ""
    with recordings_bar(name, total) as progress:
        for transcript in transcribe_samples(recognizer, reader, options, progress):
            file = reader.read.popleft()
            for message in options.late_clips(transcript.duration):
                print_error(f"{file}: {message}")
            done = writer.put(file, transcript)
            seconds, count = seconds + transcript.duration, count + 1
            if done and len(files) > 1:
                print_notice(done)
    if count and (done or sys.stderr.isatty()):
        took = summary(seconds, time.monotonic() - began)
        several = len(files) > 1
        print_notice(
            f"{count} recordings, {took}" if several else ", ".join(filter(None, [took, done]))
        )
    return not reader.failed


def summary(seconds: float, took: float) -> str:
    """Return how long a number of seconds of audio took, e.g. "12:14 transcribed in 15 s (48×)"."""
    from streamwhisper.console import length

    speed = seconds / max(took, 0.001)
    shown = f"{took:.1f} s" if took < 10 else f"{took:.0f} s" if took < 120 else length(took)
    return f"{length(seconds)} transcribed in {shown} ({speed:.{int(speed < 10)}f}×)"


def _without_words(transcript: Transcript) -> Transcript:
    """Return a transcript whose words have no times."""
    segments = tuple(replace(segment, words=None) for segment in transcript.segments)
    return replace(transcript, segments=segments)


def _opened(file: Path) -> BinaryIO:
    """Open a file, or standard input, which is read to its end."""
    return io.BytesIO(sys.stdin.buffer.read()) if file == STANDARD_INPUT else file.open("rb")


def problems(
    source: Path | BinaryIO | None, report: ReadReport, selection: Selection
) -> Iterator[str]:
    """Yield what is missing from audio that was read.

    Args:
        source: the file, if it may declare its length.
        report: what was found while it was read.
        selection: what was read.
    """
    from streamwhisper.audio.durations import declared_seconds

    if damage := report.describe_damage():
        yield damage
    declared = None if source is None else declared_seconds(source, selection.track)
    if declared is not None and report.end < declared - max(MISSING, declared * MISSING_SHARE):
        yield f"cut short: declares {declared:.1f} s but ends after {report.end:.1f} s"


def track_notice(file: Path, report: ReadReport, selection: Selection) -> str | None:
    """Return a notice for a file with several audio tracks of which none was chosen."""
    if report.tracks < 2 or selection.track is not None:
        return None
    return (
        f"{_shown(file)}: has {report.tracks} audio tracks; using track {report.track}. "
        "--audio-track chooses another"
    )


def _shown(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)


def stem(file: Path) -> str:
    """Return the name, without a suffix, of the files written for a recording."""
    return "stdin" if file == STANDARD_INPUT else file.stem
