"""Durations that files declare."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from streamwhisper.audio.opening import open_container, select_track
from streamwhisper.errors import AudioFormatError

__all__ = ["declared_seconds"]

_UNKNOWN = 0x7FFF0000
"""Data size from which a header was written before the length was known."""
_HEADED = (
    *("aiff", "ape", "avi", "caf", "dsf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "mpc", "mpc8"),
    *("tak", "tta", "w64", "wv"),
)
"""Formats whose header has the length of each stream. FFmpeg estimates that of others."""
_MP3_HEADER = re.compile(rb"Xing|Info|VBRI")
_MP3_LOOK = 4096  # bytes after the tag in which the first frame is


def declared_seconds(source: str | Path | BinaryIO, track: int | None = None) -> float | None:
    """Return when the audio of a file ends, as it declares, in seconds from its start.

    Args:
        source: a path, or a file that is open for reading and seekable.
        track: audio track, counted from 1; None is the default one.

    Returns:
        None if the format declares no length of this track, or the length was not known when the
        file was written.
    """
    try:
        if isinstance(source, str | Path):
            with Path(source).open("rb") as file:
                return declared_seconds(file, track)
        source.seek(0)
        head = source.read(12)
        if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
            return _wav_seconds(source)
        has_length = _has_length(source)
        source.seek(0)
        with open_container(source) as container:
            return _end(container, select_track(container, track), has_length=has_length)
    except (av.FFmpegError, AudioFormatError, OSError):
        return None  # reading it will say what is wrong


def _end(container: InputContainer, stream: AudioStream, *, has_length: bool) -> float | None:
    """Return the declared end of a stream, from the start of its container.

    Args:
        container: an open container.
        stream: one of its streams.
        has_length: whether an MP3 file declares its length.
    """
    start: int | None = container.start_time
    begins = (start or 0) / av.time_base
    name = container.format.name
    if name == "matroska,webm":
        if tag := stream.metadata.get("DURATION"):
            end = _clock(tag)
            return None if end is None else end - begins
        duration: int | None = container.duration
        return duration / av.time_base if duration and len(container.streams) == 1 else None
    if name in _HEADED or (name == "mp3" and has_length):
        length: int | None = stream.duration
        if length and stream.time_base:
            return float(((stream.start_time or 0) + length) * stream.time_base) - begins
    return None


def _clock(text: str) -> float | None:
    """Return seconds of ``hh:mm:ss.fraction``."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _wav_seconds(file: BinaryIO) -> float | None:
    """Return the length by the header of a WAV file; FFmpeg goes by the size of the file."""
    wide = rate = 0
    while len(head := file.read(8)) == 8:
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            size = wide if size == 0xFFFFFFFF and wide else size
            return size / rate if rate and size > 0 and (wide or size < _UNKNOWN) else None
        body = file.read(min(size, 64))
        file.seek(size - len(body) + size % 2, io.SEEK_CUR)
        if name == b"fmt " and len(body) >= 12:
            rate = struct.unpack_from("<I", body, 8)[0]
        if name == b"ds64" and len(body) >= 16:
            wide = struct.unpack_from("<Q", body, 8)[0]
    return None


def _has_length(file: BinaryIO) -> bool:
    """Return whether an MP3 file declares its length in its first frame."""
    file.seek(0)
    head = file.read(10)
    size = sum(octet << shift for octet, shift in zip(head[6:], (21, 14, 7, 0), strict=False))
    file.seek(10 + size if head[:3] == b"ID3" else 0)
    return _MP3_HEADER.search(file.read(_MP3_LOOK)) is not None
