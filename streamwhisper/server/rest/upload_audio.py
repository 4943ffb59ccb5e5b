"""The sound of an upload, decoded for as long as a recording may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.container import decode_container
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import AudioFormatError
from streamwhisper.server.access.rejection import HandshakeRejected

__all__ = ["read_samples"]

Samples = NDArray[np.float32]

_PIECE_BYTES = 1024 * 1024
_BREATH = 30 * SAMPLE_RATE
"""Samples between two pauses."""


def read_samples(
    sound: BinaryIO, format: AudioFormat | None, most: float, pause: Callable[[], None]
) -> Samples:
    """Decode a recording: float32 mono ``[n]`` within ±1 at 16 kHz.

    Args:
        sound: its bytes.
        format: of raw samples; None for a container.
        most: seconds that it may last.
        pause: called now and then; it may wait, or raise to give up.

    Raises:
        AudioFormatError: it cannot be read as declared.
        Refusal: it is too long.
    """
    samples = bytearray()  # not a list, which would be in memory twice when it is joined
    length, paused = 0, 0
    for piece in _decoded(sound, format):
        length += len(piece)
        if length > most * SAMPLE_RATE:
            raise HandshakeRejected(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "recording_too_long",
                f"the recording lasts longer than {most:g} s, which is the most here; send it in "
                "several requests",
            )
        samples += piece.astype(np.float32, copy=False).tobytes()
        if length - paused >= _BREATH:
            paused = length
            pause()
    return np.frombuffer(samples, np.float32)


def _decoded(sound: BinaryIO, format: AudioFormat | None) -> Iterator[Samples]:
    if not sound.read(1):
        raise AudioFormatError("there is no data; expected sound")
    sound.seek(0)
    if format is None:
        yield from decode_container(sound, SAMPLE_RATE)
        return
    decoder = AudioDecoder(format, SAMPLE_RATE)
    while data := sound.read(_PIECE_BYTES):
        yield decoder.decode(data)
    yield decoder.finish()
