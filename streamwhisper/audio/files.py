"""Audio files of any format, read whole or in chunks."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.container import decode_container
from streamwhisper.audio.formats import AudioDecoder, AudioFormat, bounded
from streamwhisper.audio.samples import SupportsArray, convert_samples
from streamwhisper.errors import AudioFormatError

__all__ = [
    "AudioInput",
    "declared_seconds",
    "decode_bytes",
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

_UNKNOWN = 0x7FFF0000
"""Data size from which a header was written before the length was known."""


def read_audio(path: str | Path, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read the first audio stream of a file.

    Args:
        path: any audio or video file that FFmpeg can read.
        sample_rate: sample rate of the result (Hz).

    Returns:
        float32 mono ``[n]`` within ±1.

    Raises:
        AudioFormatError: the file is missing, has no audio, or is damaged.
    """
    return np.concatenate(list(_pieces(path, sample_rate)))


def load_audio(audio: AudioInput, sample_rate: int | None = None) -> NDArray[np.float32]:
    """Return a recording as float32 mono ``[n]`` within ±1 at 16 kHz.

    Args:
        audio: a path; a file opened in binary mode, or the bytes of one, in any format that
            FFmpeg's demuxers know; a NumPy array or torch tensor ``[n]``, ``[n, channels]`` or
            ``[channels, n]``; or a mapping with ``array`` and ``sampling_rate``.
        sample_rate: of an array or tensor, in hertz; the default is 16000. Files state their own.

    Raises:
        AudioFormatError: the audio cannot be read; the message states what was received.
    """
    if isinstance(audio, str | os.PathLike):
        _refuse_rate(sample_rate, "a file")
        return read_audio(os.fspath(audio))
    if isinstance(audio, bytes | bytearray | memoryview):
        _refuse_rate(sample_rate, "the bytes of a file")
        return decode_bytes(bytes(audio))
    if hasattr(audio, "read"):
        _refuse_rate(sample_rate, "a file")
        data = audio.read()
        if not isinstance(data, bytes):
            raise AudioFormatError(
                f"reading the file gave {type(data).__name__}; expected bytes. Open it in binary "
                'mode: open(path, "rb")'
            )
        return decode_bytes(data)
    return convert_samples(audio, sample_rate)


def _refuse_rate(sample_rate: int | None, source: str) -> None:
    if sample_rate is not None:
        raise AudioFormatError(
            f"sample_rate is {sample_rate}, but {source} states its own; expected sample_rate only "
            "with an array or a tensor"
        )


def decode_bytes(
    data: bytes, format: AudioFormat | None = None, sample_rate: int = SAMPLE_RATE
) -> NDArray[np.float32]:
    """Decode audio in memory.

    Args:
        data: bytes of a container that FFmpeg can read, or raw samples.
        format: format of raw samples; None for a container.
        sample_rate: sample rate of the result (Hz).

    Returns:
        float32 mono ``[n]`` within ±1.

    Raises:
        AudioFormatError: the data is empty, or cannot be read as declared.
    """
    if not data:
        raise AudioFormatError("there is no data; expected audio")
    if format is None:
        return np.concatenate(list(decode_container(io.BytesIO(data), sample_rate)))
    decoder = AudioDecoder(format, sample_rate)
    return np.concatenate([decoder.decode(data), decoder.finish()])


def declared_seconds(path: str | Path) -> float | None:
    """Return the declared duration of the first audio stream in seconds; None if unknown."""
    try:
        # FFmpeg uses the size of a WAV file, not its header.
        with wave.open(str(path), "rb") as file:
            if file.getnframes() * file.getnchannels() * file.getsampwidth() < _UNKNOWN:
                return file.getnframes() / file.getframerate()
            return None
    except (wave.Error, EOFError, OSError):
        pass
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            streams = container.streams.audio
            if streams and streams[0].duration and streams[0].time_base:
                return float(streams[0].duration * streams[0].time_base)
            return container.duration / av.time_base if container.duration else None
    except (av.FFmpegError, OSError):
        return None  # reading it will say what is wrong


def stream_audio(
    path: str | Path, sample_rate: int = SAMPLE_RATE, chunk_samples: int = 1600
) -> Iterator[NDArray[np.float32]]:
    """Read a file in chunks, never holding more than a few.

    Yields:
        float32 mono ``[chunk_samples]``; the last may be shorter, and none is empty.

    Raises:
        AudioFormatError: as `read_audio`; the chunks before the damage come first.
        ValueError: `chunk_samples` is not positive.
    """
    if chunk_samples <= 0:
        raise ValueError(f"chunk_samples is {chunk_samples}; expected at least 1")
    rest = np.zeros(0, dtype=np.float32)
    for piece in _pieces(path, sample_rate):
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


def _pieces(path: str | Path, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """Yield decoded pieces of `path`; every error names it."""
    if not Path(path).is_file():
        what = "a folder" if Path(path).is_dir() else "no such file"
        raise AudioFormatError(f"{path}: {what}; expected an audio file")
    if not Path(path).stat().st_size:
        raise AudioFormatError(f"{path}: the file is empty; expected an audio file")
    try:
        yield from decode_container(f"file:{path}", sample_rate)
    except AudioFormatError as error:
        raise AudioFormatError(f"{path}: {error}") from error
