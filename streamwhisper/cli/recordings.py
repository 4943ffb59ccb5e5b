"""Recordings from files and standard input, and their transcripts to where they belong."""

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
"""Seconds that a recording may be shorter than it says."""


@dataclass(frozen=True, slots=True)
class OutputWriter:
    """Where transcripts go.

    Attributes:
        format: of files, or "json-lines".
        folder: None for standard output.
        titled: whether a text has the name of its file above it.
        layout: of subtitles.
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
            told = {"file": str(file), "duration": transcript.duration, **as_record(transcript)}
            print_json(told)
        if self.folder is not None:
            formats = [self.format] if self.format in FORMATS else list(FORMATS)
            write(transcript, stem(file), self.folder, formats, self.layout)
        elif self.format != "json-lines":
            text = render(transcript, self.format, self.layout)
            print_transcript(text.rstrip("\n"), str(file) if self.titled else None)


@dataclass(slots=True)
class _AudioReader:
    """Reads files one after the other; those that cannot be read are named and passed over."""

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
        declared, there = declared_seconds(file), len(samples) / SAMPLE_RATE
        if declared is not None and there < declared - max(MISSING, declared / 100):
            self._fail(
                f"{file}: cut short: it says it lasts {declared:.1f} s, but ends after "
                f"{there:.1f} s; what there is, is transcribed"
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
    outlet: OutputWriter,
) -> bool:
    """Transcribe what can be read; whether that was all."""
    from streamwhisper.audio.files import declared_seconds
    from streamwhisper.console import recordings_bar
    from streamwhisper.transcription.transcribe import transcribe_all

    lengths = [None if raw or file == STANDARD_INPUT else declared_seconds(file) for file in files]
    total = sum(length or 0.0 for length in lengths) or None
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    reader = _AudioReader(files, raw)
    with recordings_bar(name, total) as progress:
        for transcript in transcribe_all(recognizer, reader, options, progress=progress):
            outlet.put(reader.read.popleft(), transcript)
    return not reader.failed


def _named(
    name: str,
    decode: Callable[[bytes, AudioFormat | None], NDArray[np.float32]],
    data: bytes,
    raw: AudioFormat | None,
) -> NDArray[np.float32]:
    """Decode bytes; an error names where they came from."""
    try:
        return decode(data, raw)
    except AudioFormatError as error:
        raise AudioFormatError(f"{name}: {error}") from error


def stem(file: Path) -> str:
    """What the files of a recording are named after."""
    return "stdin" if file == STANDARD_INPUT else file.stem
