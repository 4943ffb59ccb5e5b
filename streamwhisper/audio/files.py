"""Audio files of any format, read whole or in chunks."""

from __future__ import annotations

import io
import os
import re
import wave
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.demuxing import decode_container
from streamwhisper.audio.formats import AudioDecoder, AudioFormat, bounded
from streamwhisper.audio.opening import Selection
from streamwhisper.audio.samples import SupportsArray, convert_samples
from streamwhisper.audio.timeline import ReadReport
from streamwhisper.errors import AudioFormatError

__all__ = [
    "AudioInput",
    "check_file",
    "decode_bytes",
    "decode_file",
    "join_pieces",
    "load_audio",
    "read_audio",
    "stream_audio",
    "write_wav",
]

AudioInput = (
    str
    | os.PathLike[str]
    | BinaryIO
    | bytes
    | bytearray
    | SupportsArray
    | list[Any]
    | Mapping[str, Any]
)
"""A recording: a path, a binary file, the bytes of one, an array, tensor or list, or a mapping."""

Samples = NDArray[np.float32]

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.IGNORECASE | re.DOTALL)  # not of Windows
_PIECE_BYTES = 1024 * 1024


def read_audio(
    path: str | Path,
    sample_rate: int = SAMPLE_RATE,
    *,
    selection: Selection | None = None,
    report: ReadReport | None = None,
) -> Samples:
    """Read an audio track of a file.

    Args:
        path: any audio or video file that FFmpeg can read.
        sample_rate: sample rate of the result (Hz).
        selection: track and channel; the default is the default track with its channels mixed.
        report: filled with what is found, e.g. damage.

    Returns:
        float32 mono ``[n]`` within ±1; sample 0 is the start of the file, also if its audio begins
        later than its picture.

    Raises:
        AudioFormatError: the file is missing, has no audio, is damaged, or has no such track or
            channel.
    """
    return join_pieces(_pieces(path, sample_rate, selection, report))


def load_audio(
    audio: AudioInput, sample_rate: int | None = None, *, selection: Selection | None = None
) -> Samples:
    """Return a recording as float32 mono ``[n]`` within ±1 at 16 kHz.

    Args:
        audio: a path; a file opened in binary mode, or the bytes of one, in any format that
            FFmpeg's demuxers know; a NumPy array, torch tensor or list ``[n]``, ``[n, channels]``
            or ``[channels, n]``; or a mapping with ``array`` and ``sampling_rate``.
        sample_rate: of an array or tensor, in hertz; the default is 16000. Files state their own.
        selection: track and channel; the default is the default track with its channels mixed.

    Raises:
        AudioFormatError: the audio cannot be read; the message states what was received.
    """
    if isinstance(audio, str | os.PathLike):
        _refuse_rate(sample_rate, "a file")
        return read_audio(os.fspath(audio), selection=selection)
    if isinstance(audio, bytes | bytearray | memoryview):
        _refuse_rate(sample_rate, "the bytes of a file")
        return decode_bytes(bytes(audio), selection=selection)
    if hasattr(audio, "read"):
        _refuse_rate(sample_rate, "a file")
        data = audio.read()
        if not isinstance(data, bytes):
            raise AudioFormatError(
                f"reading the file gave {type(data).__name__}; expected bytes. Open it in binary "
                'mode: open(path, "rb")'
            )
        return decode_bytes(data, selection=selection)
    if selection is not None and selection.track is not None:
        raise AudioFormatError(
            f"audio_track is {selection.track}, but the audio is samples; expected audio_track "
            "only with a file"
        )
    return convert_samples(
        audio, sample_rate, channel=None if selection is None else selection.channel
    )


def _refuse_rate(sample_rate: int | None, source: str) -> None:
    if sample_rate is not None:
        raise AudioFormatError(
            f"sample_rate is {sample_rate}, but {source} states its own; expected sample_rate only "
            "with an array or a tensor"
        )


def decode_bytes(
    data: bytes,
    format: AudioFormat | None = None,
    sample_rate: int = SAMPLE_RATE,
    *,
    selection: Selection | None = None,
    report: ReadReport | None = None,
) -> Samples:
    """Decode audio in memory.

    Args:
        data: bytes of a container that FFmpeg can read, or raw samples.
        format: format of raw samples; None for a container.
        sample_rate: sample rate of the result (Hz).
        selection: track and channel; the default is the default track with its channels mixed.
        report: filled with what is found, e.g. damage.

    Returns:
        float32 mono ``[n]`` within ±1.

    Raises:
        AudioFormatError: the data is empty, or cannot be read as declared.
    """
    source = io.BytesIO(data)
    return join_pieces(decode_file(source, format, sample_rate, selection=selection, report=report))


def decode_file(
    file: BinaryIO,
    format: AudioFormat | None = None,
    sample_rate: int = SAMPLE_RATE,
    *,
    channels: int | None = None,
    selection: Selection | None = None,
    report: ReadReport | None = None,
) -> Iterator[Samples]:
    """Decode an open file from its beginning, in pieces.

    Args:
        file: seekable; a container that FFmpeg can read, or raw samples.
        format: format of raw samples; None for a container.
        sample_rate: sample rate of the result (Hz).
        channels: required number of channels of a container, returned interleaved; None mixes.
        selection: track and channel; the default is the default track with its channels mixed.
        report: filled with what is found, e.g. damage.

    Raises:
        AudioFormatError: the file is empty, or cannot be read as declared.
    """
    if not file.read(1):
        raise AudioFormatError("there is no data; expected audio")
    file.seek(0)
    if format is None:
        yield from decode_container(
            file, sample_rate, channels=channels, selection=selection, report=report
        )
        return
    decoder = AudioDecoder(format, sample_rate, channel=selection.channel if selection else None)
    while data := file.read(_PIECE_BYTES):
        yield decoder.decode(data)
    yield decoder.finish()


def join_pieces(pieces: Iterable[Samples]) -> Samples:
    """Return the pieces as one array; they are in memory once, not twice as in a list."""
    samples = bytearray()
    for piece in pieces:
        samples += np.ascontiguousarray(piece, dtype=np.float32).data.cast("B")
    return np.frombuffer(samples, np.float32)


def stream_audio(
    path: str | Path,
    sample_rate: int = SAMPLE_RATE,
    chunk_samples: int = 1600,
    *,
    selection: Selection | None = None,
    report: ReadReport | None = None,
) -> Iterator[Samples]:
    """Read a file in chunks, never holding more than a few.

    Args:
        path: any audio or video file that FFmpeg can read.
        sample_rate: sample rate of the result (Hz).
        chunk_samples: samples of each chunk.
        selection: track and channel; the default is the default track with its channels mixed.
        report: filled with what is found, e.g. damage.

    Yields:
        float32 mono ``[chunk_samples]``; the last may be shorter, and none is empty.

    Raises:
        AudioFormatError: as `read_audio`; the chunks before the damage come first.
        ValueError: `chunk_samples` is not positive.
    """
    if chunk_samples <= 0:
        raise ValueError(f"chunk_samples is {chunk_samples}; expected at least 1")
    rest = np.zeros(0, dtype=np.float32)
    for piece in _pieces(path, sample_rate, selection, report):
        rest = np.concatenate([rest, piece])
        whole = len(rest) - len(rest) % chunk_samples
        for start in range(0, whole, chunk_samples):
            yield rest[start : start + chunk_samples]
        rest = rest[whole:]
    if len(rest):
        yield rest


def write_wav(
    path: str | Path, samples: NDArray[np.float32], sample_rate: int = SAMPLE_RATE
) -> None:
    """Write float32 mono ``[n]`` as 16-bit WAV, clipped to ±1."""
    pcm = np.round(bounded(samples) * np.float32(32767)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.tobytes())


def _pieces(
    path: str | Path, sample_rate: int, selection: Selection | None, report: ReadReport | None
) -> Iterator[Samples]:
    """Yield decoded pieces of `path`; every error names it."""
    check_file(path)
    try:
        yield from decode_container(f"file:{path}", sample_rate, selection=selection, report=report)
    except AudioFormatError as error:
        raise AudioFormatError(f"{path}: {error}") from error


def check_file(path: str | Path) -> None:
    """Raise AudioFormatError for a path that is no file, or an empty one."""
    if address := _ADDRESS.match(str(path)):
        scheme, rest = address.groups()
        if scheme.lower() == "file":
            raise AudioFormatError(f"{path}: an address; expected a path, e.g. /{rest}")
        raise AudioFormatError(
            f"{scheme}://{rest}: addresses are not fetched; download the file first"
        )
    if not Path(path).is_file():
        what = "a folder" if Path(path).is_dir() else "no such file"
        raise AudioFormatError(f"{path}: {what}; expected an audio file")
    if not Path(path).stat().st_size:
        raise AudioFormatError(f"{path}: the file is empty; expected an audio file")
