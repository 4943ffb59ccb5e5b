"""Recordings that a command line names: files, folders and standard input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = ["STANDARD_INPUT", "SUFFIXES", "find_recordings"]

STANDARD_INPUT = Path("-")
_NAMES = """
3gp aac ac3 aif aiff amr ape au avi caf dts flac flv gsm m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg
mpg mts m2ts mxf nut oga ogg ogv opus ra rm sph spx ts tta voc vob w64 wav weba webm wma wmv wv
"""
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
"""Suffixes of the audio and video files that are taken from folders."""


def find_recordings(paths: Sequence[Path], notify: Callable[[str], None]) -> list[Path]:
    """Return the files that are named, and the audio and video files in the folders named.

    Folders are searched with their subfolders, in alphabetical order; hidden files and folders
    are left out. Links to folders are followed; a folder is searched once.

    Args:
        paths: files, which are returned as they are, folders, and "-".
        notify: called with a notice for each folder in which files were skipped, or none found.
    """
    found: list[Path] = []
    for path in paths:
        if path == STANDARD_INPUT or not path.is_dir():
            found.append(path)
            continue
        files = list(_files(path, set()))
        recordings = [file for file in files if file.suffix.lower() in SUFFIXES]
        skipped = [file for file in files if file.suffix.lower() not in SUFFIXES]
        if not recordings:
            notify(f"{path}: no audio or video files")
        elif skipped:
            names = ", ".join(file.name for file in skipped[:3])
            more = ", ..." if len(skipped) > 3 else ""
            count = f"{len(skipped)} other file{'s' * (len(skipped) > 1)}"
            notify(f"{path}: skipped {count} ({names}{more})")
        found += recordings
    return list(dict.fromkeys(found))


def _files(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the files in a folder, then those in its subfolders, sorted by name."""
    about = folder.stat()
    if (about.st_dev, about.st_ino) in seen:  # a link to a folder above, or to one searched
        return
    seen.add((about.st_dev, about.st_ino))
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except PermissionError as error:
        raise PermissionError(error.errno, error.strerror, str(folder)) from error
    visible = [entry for entry in entries if not entry.name.startswith(".")]
    yield from (Path(entry.path) for entry in visible if entry.is_file())
    for entry in visible:
        if entry.is_dir():
            yield from _files(Path(entry.path), seen)
