"""Reads recordings from files and standard input, and writes their transcripts."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.errors import AudioFormatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from streamwhisper.audio.formats import AudioFormat
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.subtitles.writers import SubtitleOptions
    from streamwhisper.transcript import Transcript
    from streamwhisper.transcription.options import TranscriptionOptions

__all__ = ["STANDARD_INPUT", "OutputWriter", "stem", "transcribe_files"]

STANDARD_INPUT = Path("-")
MISSING = 0.5
"""Seconds by which a recording may be shorter than its declared duration."""


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
        from streamwhisper.console import print_json, print_transcript
        from streamwhisper.subtitles.writers import FORMATS, as_record, render, write

        if self.format == "json-lines":
            record = {"file": str(file), "duration": transcript.duration, **as_record(transcript)}
            print_json(record)
        if self.folder is not None:
            formats = [self.format] if self.format in FORMATS else list(FORMATS)
            write(transcript, stem(file), self.folder, formats, self.layout)
        elif self.format != "json-lines":
            text = render(transcript, self.format, self.layout)
            print_transcript(text.rstrip("\n"), str(file) if self.titled else None)


@dataclass(slots=True)
class _AudioReader:
    """Reader of files in order; reports and skips those that cannot be read."""

    files: list[Path]
    raw: AudioFormat | None
    read: deque[Path] = field(default_factory=deque)
    failed: int = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for file in self.files:
            try:
                samples = self._samples(file)
            except (AudioFormatError, OSError) as error:
                self._fail(str(error))
                continue
            self.read.append(file)
            yield samples

    def _samples(self, file: Path) -> NDArray[np.float32]:
        from streamwhisper.audio.files import declared_seconds, decode_bytes, read_audio

        if file == STANDARD_INPUT:
            return _named("standard input", decode_bytes, sys.stdin.buffer.read(), self.raw)
        if self.raw is not None:
            return _named(str(file), decode_bytes, file.read_bytes(), self.raw)
        samples = read_audio(file)
        declared, present = declared_seconds(file), len(samples) / SAMPLE_RATE
        if declared is not None and present < declared - max(MISSING, declared / 100):
            self._fail(
                f"{file}: cut short: declares {declared:.1f} s but ends after {present:.1f} s; "
                "the audio up to there is transcribed"
            )
        return samples

    def _fail(self, message: str) -> None:
        from streamwhisper.console import print_error

        self.failed += 1
        print_error(message)


def transcribe_files(
    recognizer: LocalRecognizer,
    files: list[Path],
    raw: AudioFormat | None,
    options: TranscriptionOptions,
    writer: OutputWriter,
) -> bool:
    """Transcribe the files that can be read; return whether all could be."""
    from streamwhisper.audio.files import declared_seconds
    from streamwhisper.console import recordings_bar
    from streamwhisper.transcription.transcribe import transcribe_samples

    lengths = [None if raw or file == STANDARD_INPUT else declared_seconds(file) for file in files]
    total = sum(length or 0.0 for length in lengths) or None
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    reader = _AudioReader(files, raw)
    with recordings_bar(name, total) as progress:
        for transcript in transcribe_samples(recognizer, reader, options, progress):
            writer.put(reader.read.popleft(), transcript)
    return not reader.failed


def _named(
    name: str,
    decode: Callable[[bytes, AudioFormat | None], NDArray[np.float32]],
    data: bytes,
    raw: AudioFormat | None,
) -> NDArray[np.float32]:
    """Decode bytes; errors name their source."""
    try:
        return decode(data, raw)
    except AudioFormatError as error:
        raise AudioFormatError(f"{name}: {error}") from error


def stem(file: Path) -> str:
    """Return the name, without a suffix, of the files written for a recording."""
    return "stdin" if file == STANDARD_INPUT else file.stem
