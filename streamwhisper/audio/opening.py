"""Opens audio and video containers, and selects what is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.format import ContainerFormat

from streamwhisper.errors import AudioFormatError

__all__ = [
    "Selection",
    "Source",
    "allowed_formats",
    "bytes_at",
    "declared_channels",
    "explain",
    "open_container",
    "select_track",
]

# Playlists and scripts, which would make the decoder open other files and addresses; and text, e.g.
# subtitles, which is read whole. Devices, protocols and pictures are left out by their kind.
_REFUSED = (
    *("avisynth", "concat", "dash", "data", "ffmetadata", "hls", "imf", "lavfi", "rawvideo", "sdp"),
    *("vapoursynth", "webm_dash_manifest"),
    *("aqtitle", "ass", "dvbsub", "dvbtxt", "jacosub", "lrc", "mcc", "microdvd", "mpl2", "mpsub"),
    *("pjs", "realtext", "sami", "scc", "srt", "stl", "subviewer", "subviewer1", "sup"),
    *("tedcaptions", "vobsub", "vplayer", "webvtt"),
    *("adf", "bin", "idf", "tty", "xbin"),
)
# Probe little before the first audio, and read WAV in small packets. Not "fflags": "nobuffer",
# which discards the probed audio. (FFmpeg always probes 64 KiB of PCM WAV.)
_LIVE = {
    "probesize": "2048",
    "analyzeduration": "0",
    "formatprobesize": "4096",
    "max_size": "1024",
}
# Accept audio whose tags are badly encoded; PyAV 19 and later always do.
_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__[:2]) < 19 else {}


class Source(Protocol):
    """Byte source of PyAV."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Track and channel to read from a container.

    Attributes:
        track: audio track, counted from 1; None reads the default one.
        channel: channel of the track, counted from 1; None mixes all (see `Mixer`).
    """

    track: int | None = None
    channel: int | None = None


@cache
def allowed_formats() -> str:
    """Return FFmpeg's demuxers, without those that open other files, devices and addresses."""
    names = []
    for name in sorted(av.formats_available):
        if name in _REFUSED or name.endswith("_pipe") or name.startswith(("image2", "mpjpeg")):
            continue
        try:
            demuxer = ContainerFormat(name, "r")
        except ValueError:  # a muxer
            continue
        if demuxer.is_input and not demuxer.no_file:
            names.append(name)
    return ",".join(names)


def open_container(source: str | Source, *, live: bool = False) -> InputContainer:
    """Open a file or a byte source for reading; the caller closes it.

    Args:
        source: a path, or an object to read from.
        live: probe as little as possible, so that decoding starts at once.

    Raises:
        av.error.FFmpegError: it cannot be opened; see `explain`.
    """
    options = {
        "format_whitelist": allowed_formats(),
        "protocol_whitelist": "file" if isinstance(source, str) else "pipe",
        **(_LIVE if live else {}),
    }
    container: InputContainer = av.open(source, "r", options=options, **_TAGS)
    return container


def select_track(container: InputContainer, track: int | None) -> AudioStream:
    """Return the audio stream `track`, counted from 1; None returns the default one.

    Raises:
        AudioFormatError: there is no audio, or no such track.
    """
    streams = container.streams.audio
    if not streams:
        kinds = ", ".join(stream.type for stream in container.streams) or "no stream"
        raise AudioFormatError(f"no audio in this {container.format.long_name} data, only {kinds}")
    if track is None:
        best = container.streams.best("audio")
        return best if isinstance(best, AudioStream) else streams[0]
    if not 1 <= track <= len(streams):
        most = len(streams)
        count, expected = (
            ("1 audio track", "1") if most == 1 else (f"{most} audio tracks", f"1 to {most}")
        )
        raise AudioFormatError(
            f"audio_track is {track}, but the file has {count}; expected {expected}"
        )
    return streams[track - 1]


def declared_channels(source: str | Source, track: int | None = None) -> int:
    """Return the number of channels that a track declares.

    Raises:
        AudioFormatError: the data cannot be read, or has no such track.
    """
    try:
        with open_container(source) as container:
            return select_track(container, track).layout.nb_channels
    except av.error.FFmpegError as error:
        raise AudioFormatError(explain(error, source)) from error


def bytes_at(source: str | Source | None, at: int, count: int) -> bytes | None:
    """Return bytes of a source without moving it; None if it cannot be read twice."""
    if isinstance(source, str):
        with Path(source.removeprefix("file:")).open("rb") as file:
            file.seek(at)
            return file.read(count)
    if source is None or not (hasattr(source, "seek") and hasattr(source, "tell")):
        return None
    before = source.tell()
    source.seek(at)
    try:
        return source.read(count)
    finally:
        source.seek(before)


def explain(error: av.error.FFmpegError, source: str | Source | None) -> str:
    """Return the message for data that cannot be read.

    Args:
        error: what FFmpeg says.
        source: the data, if it can be read twice.
    """
    head = bytes_at(source, 0, 16) or b""
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free") and isinstance(
        error, av.error.InvalidDataError
    ):
        return (
            "the index (moov) of this MP4 file is missing: the recording was cut off or is still "
            "being written. Copy it again from its source"
        )
    known = isinstance(error, OSError) and error.errno is not None and error.errno < 1000
    reason = error.strerror if known and error.errno != 22 else "damaged, or an unknown format"
    return (
        f"the audio cannot be read ({reason}); expected WebM, Ogg, MP3, WAV, FLAC, MP4 "
        "(fragmented, when streamed) or another audio container; for raw samples, declare the "
        "encoding, e.g. --encoding pcm_s16le"
    )
