"""Decoders for audio in packets without a container: Opus, and AMR without its header.

What turns out to have a container is decoded as such.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.resampling import Resampler
from streamwhisper.audio.steps import StepDecoder
from streamwhisper.errors import AudioFormatError

__all__ = ["AmrDecoder", "OpusDecoder"]

_OPUS_RATE = 48_000  # of every Opus decoder, whatever was encoded
_CONTAINERS = (b"OggS", b"\x1aE\xdf\xa3")  # how Ogg and WebM begin
_MAGIC = b"#!AMR"
_HEADERS = {False: b"#!AMR\n", True: b"#!AMR-WB\n"}


class _Wrapped(StepDecoder):
    """Decoder that passes its data on to that of a container."""

    def __init__(self, container: ContainerDecoder) -> None:
        super().__init__()
        self._container = container

    @property
    def more(self) -> bool:
        """True if there is audio to take, or will be, without further bytes."""
        return self._container.more

    @property
    def ready(self) -> bool:
        """True if `take` returns all that it can."""
        return self._container.ready

    def on_ready(self, notify: Callable[[], object]) -> None:
        """Have `notify` called, on another thread, whenever `ready` becomes true."""
        self._container.on_ready(notify)

    def wait(self) -> None:
        """Wait until `ready`."""
        self._container.wait()

    def end(self) -> None:
        """Declare the end of the data; `take` returns the rest of the audio."""
        self._container.end()

    def take(self) -> NDArray[np.float32]:
        """Return the next audio, float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the data cannot be read.
        """
        return self._container.take()

    def close(self) -> None:
        """Free all resources."""
        self._container.close()


class OpusDecoder(_Wrapped):
    """Decoder of Opus: one packet per call of `give`, or any part of a container."""

    def __init__(self, channels: int | None = None, target_rate: int = SAMPLE_RATE) -> None:
        """Decode to `target_rate` hertz.

        Args:
            channels: that must be there, 1 or 2, and come interleaved; None: they are mixed.
        """
        super().__init__(ContainerDecoder(target_rate, channels=channels))
        self._resampler = Resampler(target_rate, channels)
        self._contained: bool | None = None  # not known yet
        self._packets: deque[bytes] = deque()
        self._flushing = False
        codec = av.CodecContext.create("opus", "r")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = _OPUS_RATE
        codec.layout = "mono" if channels == 1 else "stereo"
        self._codec = codec

    @property
    def more(self) -> bool:
        """True if there is audio to take, or will be, without further bytes."""
        return bool(self._packets) or self._flushing or super().more

    def give(self, data: bytes) -> None:
        """Add the next packet, or bytes of a container, and return at once."""
        if self._contained is None and data:
            self._contained = data.startswith(_CONTAINERS)
        if self._contained:
            self._container.give(data)
        elif data:
            self._packets.append(data)

    def end(self) -> None:
        """Declare the end of the data; `take` returns the rest of the audio."""
        super().end()
        self._flushing = not self._contained

    def take(self) -> NDArray[np.float32]:
        """Return the next audio, float32 ``[n]`` within ±1: of one packet, or of the container.

        Raises:
            AudioFormatError: it is none.
        """
        if self._packets:
            return _joined(self._frames(self._packets.popleft()))
        if self._flushing:
            self._flushing = False
            return _joined(self._resampler.flush())
        return super().take()

    def _frames(self, packet: bytes) -> Iterator[NDArray[np.float32]]:
        try:
            for frame in self._codec.decode(av.Packet(packet)):
                yield from self._resampler.convert(frame)
        except av.error.FFmpegError as error:
            raise AudioFormatError(
                f"{len(packet)} bytes are no packet of Opus ({error.strerror or error}); expected "
                "one whole packet in each message, or Ogg or WebM from its beginning"
            ) from error


class AmrDecoder(_Wrapped):
    """Decoder of AMR to float32 mono at 16 kHz, cut anywhere, with or without a file header."""

    def __init__(self, *, wide: bool) -> None:
        """Decode AMR-WB if `wide`, else AMR-NB."""
        super().__init__(ContainerDecoder())
        self._header = _HEADERS[wide]
        self._begun = False
        self._start = b""

    def give(self, data: bytes) -> None:
        """Add the next bytes, and return at once."""
        if not self._begun:
            self._start += data
            if len(self._start) < len(_MAGIC):
                return
            self._begun = True
            headed = self._start.startswith(_MAGIC)
            data = self._start if headed else self._header + self._start
        self._container.give(data)


def _joined(pieces: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, dtype=np.float32), *pieces])
