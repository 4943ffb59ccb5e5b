"""Decoders for audio in packets without a container: Opus, and AMR without its header.

The same calls as `ContainerDecoder`. What turns out to have a container is decoded as such.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.container import ContainerDecoder, Resampler
from streamwhisper.errors import AudioFormatError

__all__ = ["AmrDecoder", "OpusDecoder"]

_OPUS_RATE = 48_000  # of every Opus decoder, whatever was encoded
_CONTAINERS = (b"OggS", b"\x1aE\xdf\xa3")  # how Ogg and WebM begin
_MAGIC = b"#!AMR"
_HEADERS = {False: b"#!AMR\n", True: b"#!AMR-WB\n"}


class OpusDecoder:
    """Decoder of Opus: one packet per call, or any part of a container."""

    def __init__(self, channels: int | None = None, target_rate: int = SAMPLE_RATE) -> None:
        """Decode to `target_rate` hertz.

        Args:
            channels: that must be there, 1 or 2, and come interleaved; None: they are mixed.
        """
        self._resampler = Resampler(target_rate, channels)
        self._container = ContainerDecoder(target_rate, channels=channels)
        self._contained: bool | None = None  # not known yet
        codec = av.CodecContext.create("opus", "r")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = _OPUS_RATE
        codec.layout = "mono" if channels == 1 else "stereo"
        self._codec = codec

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Decode the next packet, or bytes: float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: it is none.
        """
        if self._contained is None and data:
            self._contained = data.startswith(_CONTAINERS)
        if self._contained:
            return self._container.decode(data)
        return _joined(self._frames(data)) if data else np.zeros(0, dtype=np.float32)

    def finish(self) -> NDArray[np.float32]:
        """Return the rest of the audio and end the stream.

        Raises:
            AudioFormatError: a container cannot be read to its end.
        """
        return self._container.finish() if self._contained else _joined(self._resampler.flush())

    def close(self) -> None:
        """Free all resources."""
        self._container.close()

    def _frames(self, packet: bytes) -> Iterator[NDArray[np.float32]]:
        try:
            for frame in self._codec.decode(av.Packet(packet)):
                yield from self._resampler.convert(frame)
        except av.error.FFmpegError as error:
            raise AudioFormatError(
                f"{len(packet)} bytes are no packet of Opus ({error.strerror or error}); expected "
                "one whole packet in each message, or Ogg or WebM from its beginning"
            ) from error


class AmrDecoder:
    """Decoder of AMR to float32 mono at 16 kHz, cut anywhere, with or without a file header."""

    def __init__(self, *, wide: bool) -> None:
        """Decode AMR-WB if `wide`, else AMR-NB."""
        self._container = ContainerDecoder()
        self._header = _HEADERS[wide]
        self._begun = False
        self._held = b""

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Decode the next bytes: float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the data cannot be read.
        """
        if not self._begun:
            self._held += data
            if len(self._held) < len(_MAGIC):
                return np.zeros(0, dtype=np.float32)
            self._begun = True
            headed = self._held.startswith(_MAGIC)
            data = self._held if headed else self._header + self._held
        return self._container.decode(data)

    def finish(self) -> NDArray[np.float32]:
        """Return the rest of the audio and end the stream.

        Raises:
            AudioFormatError: the data cannot be read to its end.
        """
        return self._container.finish()

    def close(self) -> None:
        """Free all resources."""
        self._container.close()


def _joined(pieces: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, dtype=np.float32), *pieces])
