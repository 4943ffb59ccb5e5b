"""Where transcripts go: to one file, to a folder or to standard output, and in which formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

__all__ = ["SUFFIXES", "Destination", "destination"]

SUFFIXES = ("txt", "json", "srt", "vtt", "tsv")
"""Formats that the name of a file can choose."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Format and place of transcripts.

    Attributes:
        format: one of `SUFFIXES`, or "all".
        folder: folder for one file per recording and format; None: standard output, or `file`.
        file: file of the only transcript; None: several, or standard output.
    """

    format: str
    folder: Path | None = None
    file: Path | None = None

    def paths(self, stem: str) -> dict[str, Path]:
        """Return the file of each format for a recording; nothing for standard output."""
        if self.file is not None:
            return {self.format: self.file}
        if self.folder is None:
            return {}
        formats = SUFFIXES if self.format == "all" else (self.format,)
        return {format: self.folder / f"{stem}.{format}" for format in formats}

    @property
    def has_subtitles(self) -> bool:
        """True if subtitles are among the formats."""
        return self.format in ("srt", "vtt", "all")

    def create_folder(self) -> None:
        """Create the folder that is written to."""
        folder = self.file.parent if self.file is not None else self.folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)


def destination(format: str | None, output: Path | None, recordings: int) -> Destination:
    """Return where the transcripts of a number of recordings go.

    Args:
        format: value of --format; None: not given.
        output: value of -o; a name with the suffix of a format is a file, unless a folder has it.
        recordings: number of recordings.

    Raises:
        typer.BadParameter: the format and the place do not fit.
    """
    suffix = "" if output is None else output.suffix.lower().removeprefix(".")
    if output is None or output.is_dir() or suffix not in SUFFIXES:
        return Destination(format or "txt", output)
    if recordings != 1:
        raise typer.BadParameter(
            f"-o {output} is one file, but there are {recordings} recordings; name a folder"
        )
    if format not in (None, suffix):
        raise typer.BadParameter(
            f"--format {format} does not fit -o {output}; omit --format, or name a folder"
        )
    return Destination(suffix, file=output)
