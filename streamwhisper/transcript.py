"""The transcript of a recording."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from streamwhisper.segment import Segment, TimedWord
from streamwhisper.subtitles.writers import FORMATS, SubtitleOptions, render

__all__ = ["Segment", "TimedWord", "Transcript"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of a recording; ``str(transcript)`` is its text.

    Attributes:
        text: the text of all segments as spelled by the model, usually with a leading space.
        segments: in order of time.
        language: code of the language that was given or that is spoken longest, e.g. ``"en"``;
            empty if none was given and nothing is spoken.
        duration: length of the recording in seconds.
    """

    text: str
    segments: tuple[Segment, ...]
    language: str
    duration: float

    def __str__(self) -> str:
        """Return the text without surrounding space."""
        return self.text.strip()

    def to_srt(self, options: SubtitleOptions | None = None) -> str:
        """Return the transcript as SubRip subtitles.

        Args:
            options: line widths and counts, which need word timestamps. By default a cue has at
                most two lines of 42 columns and 6 s.
        """
        return render(self, "srt", options)

    def to_vtt(self, options: SubtitleOptions | None = None) -> str:
        """Return the transcript as WebVTT subtitles.

        Args:
            options: line widths and counts, which need word timestamps. By default a cue has at
                most two lines of 42 columns and 6 s.
        """
        return render(self, "vtt", options)

    def to_json(self) -> str:
        """Return the transcript as a JSON object with the fields of openai-whisper's result."""
        return render(self, "json")

    def save(self, path: str | os.PathLike[str], options: SubtitleOptions | None = None) -> Path:
        """Write the transcript to a file whose suffix names the format.

        Args:
            path: ends in ``.txt``, ``.json``, ``.srt``, ``.vtt`` or ``.tsv``; an existing file
                is replaced.
            options: line widths and counts of subtitles, which need word timestamps. By default a
                cue has at most two lines of 42 columns and 6 s.

        Returns:
            the path of the file.

        Raises:
            ValueError: another suffix.
        """
        file = Path(path)
        format = file.suffix.lower().removeprefix(".")
        if format not in FORMATS:
            expected = ", ".join(f".{name}" for name in FORMATS)
            raise ValueError(f"{file} ends in {file.suffix!r}; expected one of {expected}")
        file.write_text(render(self, format, options), encoding="utf-8")
        return file
