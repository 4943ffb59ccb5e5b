"""Reads recordings from files and standard input, and writes their transcripts."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

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
    "STANDARD_INPUT",
    "OutputWriter",
    "problems",
    "stem",
    "track_notice",
    "transcribe_files",
]

STANDARD_INPUT = Path("-")
MISSING = 0.5
"""Seconds by which a recording may be shorter than its declared duration ..."""
MISSING_SHARE = 0.001
"""... or the share of it, if that is more."""


@dataclass(frozen=True, slots=True)
class OutputWriter:
    """Writer of transcripts to files or standard output.

    Attributes:
        format: format of the output; "json-lines" prints one object per file.
        folder: folder to write to; None: standard output.
        titled: whether each text is printed below the name of its file.
        layout: layout of subtitles.
    """

    format: str
    folder: Path | None
    titled: bool
    layout: SubtitleOptions

    def put(self, file: Path, transcript: Transcript) -> None:
        """Write a transcript."""
        from streamwhisper.console import print_json, print_notice, print_transcript
        from streamwhisper.subtitles.writers import FORMATS, as_record, render, write

        if not transcript.text.strip():
            print_notice(f"{_shown(file)}: no speech found")
        if self.format == "json-lines":
            record = {"file": str(file), "duration": transcript.duration, **as_record(transcript)}
            print_json(record)
        if self.folder is not None:
            formats = [self.format] if self.format in FORMATS else list(FORMATS)
            paths = [self.folder / f"{stem(file)}.{format}" for format in formats]
            done = "replaced" if any(path.exists() for path in paths) else "wrote"
            write(transcript, stem(file), self.folder, formats, self.layout)
            print_notice(f"{done} {', '.join(map(str, paths))}")
        elif self.format != "json-lines":
            text = render(transcript, self.format, self.layout)
            print_transcript(text.rstrip("\n"), str(file) if self.titled else None)


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
    from streamwhisper.console import print_error, recordings_bar
    from streamwhisper.transcription.transcribe import transcribe_samples

    lengths = [
        None if raw or file == STANDARD_INPUT else declared_seconds(file, selection.track)
        for file in files
    ]
    total = sum(length or 0.0 for length in lengths) or None
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    reader = _AudioReader(files, raw, selection)
    with recordings_bar(name, total) as progress:
        for transcript in transcribe_samples(recognizer, reader, options, progress):
            file = reader.read.popleft()
            for message in options.late_clips(transcript.duration):
                print_error(f"{file}: {message}")
            writer.put(file, transcript)
    return not reader.failed


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
