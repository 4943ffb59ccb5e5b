"""Decoder of uploads, limited to the maximum duration of a recording."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.files import decode_file
from streamwhisper.audio.formats import AudioFormat
from streamwhisper.audio.opening import Selection, declared_channels
from streamwhisper.errors import AudioFormatError
from streamwhisper.server.access.rejection import HandshakeRejected

__all__ = ["count_channels", "read_samples"]

Samples = NDArray[np.float32]

_MOST_CHANNELS = 16
"""Channels that are transcribed separately."""
_PAUSE_SAMPLES = 30 * SAMPLE_RATE
"""Samples between two calls of `pause`."""


def count_channels(audio: BinaryIO, format: AudioFormat | None, selection: Selection) -> int:
    """Return the number of channels of an upload.

    Raises:
        AudioFormatError: it cannot be read, or has too many channels to be transcribed separately.
    """
    count = format.channels if format is not None else declared_channels(audio, selection.track)
    audio.seek(0)
    if count > _MOST_CHANNELS:
        raise AudioFormatError(
            f"the audio has {count} channels; expected at most {_MOST_CHANNELS} with multichannel"
        )
    return count


def read_samples(
    audio: BinaryIO,
    format: AudioFormat | None,
    max_seconds: float,
    pause: Callable[[], None],
    selection: Selection | None = None,
) -> Samples:
    """Decode a recording: float32 mono ``[n]`` within ±1 at 16 kHz.

    Args:
        audio: file object of the upload.
        format: format of raw samples; None for a container.
        max_seconds: maximum duration in seconds.
        pause: called after every 30 s of audio; it may wait, or raise to cancel.
        selection: track and channel; the default is the default track with its channels mixed.

    Raises:
        AudioFormatError: the data cannot be decoded.
        HandshakeRejected: the recording is too long.
    """
    samples = bytearray()  # not a list, which would be in memory twice when it is joined
    length, paused = 0, 0
    try:
        for piece in decode_file(audio, format, selection=selection):
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
