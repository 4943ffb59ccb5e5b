"""Audio of Deepgram streams: encodings, and channels that are mixed or kept separate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.formats import ENCODINGS as RAW_BYTES
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.audio.packets import AmrDecoder, OpusDecoder
from streamwhisper.audio.signatures import HeaderCheck
from streamwhisper.audio.steps import StepDecoder
from streamwhisper.errors import AudioFormatError

__all__ = ["ENCODINGS", "StreamAudio", "StreamAudioOptions"]

_RAW = {"linear16": "pcm_s16le", "linear32": "pcm_f32le", "mulaw": "mulaw", "alaw": "alaw"}
_AMR = ("amr-nb", "amr-wb")
_MAX_SESSIONS = 16
_CONTAINED = ("flac", "ogg-opus", "speex")
ENCODINGS = (*_RAW, *_CONTAINED, "opus", *_AMR)
"""Encodings that a stream can declare; without one, the stream is a container."""


@dataclass(frozen=True, slots=True)
class StreamAudioOptions:
    """Audio format that a client declares.

    Attributes:
        encoding: one of `ENCODINGS`; None: a container.
        sample_rate: in hertz; required for raw encodings.
        channels: number of interleaved channels; they are mixed unless `multichannel` is set.
        multichannel: whether each channel is transcribed separately.

    Raises:
        AudioFormatError: the values contradict each other.
    """

    encoding: str | None = None
    sample_rate: int | None = None
    channels: int = 1
    multichannel: bool = False

    def __post_init__(self) -> None:
        if self.encoding in _RAW and self.sample_rate is None:
            raise AudioFormatError(
                f"encoding is {self.encoding!r} without a sample_rate; expected one in hertz, e.g. "
                "sample_rate=16000"
            )
        if self.encoding in _AMR and self.sessions > 1:
            raise AudioFormatError(f"multichannel is true, but {self.encoding} has one channel")
        if self.sessions > _MAX_SESSIONS:
            raise AudioFormatError(
                f"multichannel is true and channels is {self.channels}; expected at most "
                f"{_MAX_SESSIONS} channels, each of which is a session"
            )
        if self.encoding == "opus" and self.sessions > 2:
            raise AudioFormatError(f"channels is {self.channels}, but opus has 1 or 2")

    @property
    def sessions(self) -> int:
        """Number of sessions that the stream needs."""
        return self.channels if self.multichannel else 1


class StreamAudio:
    """Splitter of one connection's audio into the bytes of each session; frames may end anywhere.

    Attributes:
        decoders: one decoder for each session.
        container: decoder of audio that is not raw; pass its audio to `split`. None: the audio is
            raw.
    """

    def __init__(self, options: StreamAudioOptions) -> None:
        """Create the decoders."""
        self._count = options.sessions
        self._format: AudioFormat | None = None
        self._received = 0
        self._rest = b""
        self._check: HeaderCheck | None = None
        self.container: StepDecoder | None = None
        if options.encoding in _RAW:
            assert options.sample_rate is not None
            raw = _RAW[options.encoding]
            self._format = AudioFormat(raw, options.sample_rate, options.channels)
            apart = AudioFormat(raw, options.sample_rate)
            self._check = HeaderCheck(self._format)
        else:
            apart = AudioFormat("pcm_f32le", SAMPLE_RATE)
            self.container = _decoder(options)
        self._width = RAW_BYTES[apart.encoding]
        one = apart if self._count > 1 or self._format is None else self._format
        self.decoders: Sequence[AudioDecoder] = [AudioDecoder(one) for _ in range(self._count)]

    @property
    def seconds(self) -> float | None:
        """Duration of the received audio; None for encodings of variable size."""
        if self._format is None:
            return None
        return self._received // self._format.frame_bytes / self._format.sample_rate

    def split(self, data: bytes) -> Sequence[bytes]:
        """Return the raw bytes for each session.

        Raises:
            AudioFormatError: raw audio begins like a file.
        """
        self._received += len(data)
        if self._check is not None:
            self._check.look(data)
        return [data] if self._count == 1 else self._apart(data)

    def finish(self) -> None:
        """End the stream.

        Raises:
            AudioFormatError: the audio ends within a sample.
        """
        rest, self._rest = self._rest, b""
        if rest:
            raise AudioFormatError(
                f"the audio ended {len(rest)} bytes into a sample of "
                f"{self._count} channels; check encoding and channels"
            )

    def _apart(self, data: bytes) -> list[bytes]:
        data = self._rest + data
        whole = len(data) - len(data) % (self._width * self._count)
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype=f"V{self._width}").reshape(-1, self._count)
        return [samples[:, channel].tobytes() for channel in range(self._count)]


def _decoder(options: StreamAudioOptions) -> StepDecoder:
    """Return the decoder of an encoding that is not raw: mixed, or all channels interleaved."""
    channels = options.sessions if options.sessions > 1 else None
    if options.encoding in _AMR:
        return AmrDecoder(wide=options.encoding == "amr-wb")
    if options.encoding == "opus":
        return OpusDecoder(channels)
    return ContainerDecoder(channels=channels)
