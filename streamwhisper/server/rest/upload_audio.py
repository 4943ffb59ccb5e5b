"""Decoder of uploads, limited to the maximum duration of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.demuxing import decode_container
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError
from streamwhisper.server.access.rejection import HandshakeRejected

__all__ = ["read_samples"]

Samples = NDArray[np.float32]

_PIECE_BYTES = 1024 * 1024
_PAUSE_SAMPLES = 30 * SAMPLE_RATE
"""Samples between two calls of `pause`."""


def read_samples(
    audio: BinaryIO, format: AudioFormat | None, max_seconds: float, pause: Callable[[], None]
) -> Samples:
    """Decode a recording: float32 mono ``[n]`` within ±1 at 16 kHz.

    Args:
        audio: file object of the upload.
        format: format of raw samples; None for a container.
        max_seconds: maximum duration in seconds.
        pause: called after every 30 s of audio; it may wait, or raise to cancel.

    Raises:
        AudioFormatError: the data cannot be decoded.
        HandshakeRejected: the recording is too long.
    """
    samples = bytearray()  # not a list, which would be in memory twice when it is joined
    length, paused = 0, 0
    try:
        for piece in _decoded(audio, format):
            length += len(piece)
            if length > max_seconds * SAMPLE_RATE:
                raise _too_long(max_seconds)
            samples += piece.astype(np.float32, copy=False).tobytes()
            if length - paused >= _PAUSE_SAMPLES:
                paused = length
                pause()
    except BaseException:
        samples.clear()  # an error may be referenced for long, and with it this frame
        raise
    return np.frombuffer(samples, np.float32)


def _too_long(max_seconds: float) -> HandshakeRejected:
    return HandshakeRejected(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "recording_too_long",
        f"the recording is longer than {max_seconds:g} s, the maximum; send it in several requests",
    )


def _decoded(audio: BinaryIO, format: AudioFormat | None) -> Iterator[Samples]:
    if not audio.read(1):
        raise AudioFormatError("there is no data; expected audio")
    audio.seek(0)
    if format is None:
        yield from decode_container(audio, SAMPLE_RATE)
        return
    decoder = AudioDecoder(format, SAMPLE_RATE)
    while data := audio.read(_PIECE_BYTES):
        yield decoder.decode(data)
    yield decoder.finish()
