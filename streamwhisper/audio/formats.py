"""Raw audio formats: PCM and G.711 of any rate and channel count to 16 kHz mono."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from streamwhisper.audio.channels import MAX_CHANNELS, Mixer
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.signatures import HeaderCheck
from streamwhisper.errors import AudioFormatError

__all__ = ["ENCODINGS", "AudioDecoder", "AudioFormat", "bounded"]

ENCODINGS = {
    "pcm_s16le": 2,
    "pcm_f32le": 4,
    "mulaw": 1,
    "alaw": 1,
    "pcm_u8": 1,
    "pcm_s24le": 3,
    "pcm_s32le": 4,
}
"""Raw encodings and their bytes per sample."""

_RATES = (4000, 192_000)


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Format of raw audio: interleaved samples without a header.

    Attributes:
        encoding: one of `ENCODINGS`.
        sample_rate: samples per second (Hz), 4000 to 192000.
        channels: number of channels, 1 to 64; they are mixed to one.

    Raises:
        AudioFormatError: a value is out of range.
    """

    encoding: str = "pcm_s16le"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise AudioFormatError(
                f"encoding is {self.encoding!r}; expected one of {', '.join(ENCODINGS)} "
                "for raw audio (use 'container' for file formats)"
            )
        _check_integer("sample_rate", self.sample_rate, *_RATES)
        _check_integer("channels", self.channels, 1, MAX_CHANNELS)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return ENCODINGS[self.encoding] * self.channels


class AudioDecoder:
    """Decoder of a raw stream, cut anywhere, to float32 mono."""

    def __init__(
        self,
        format: AudioFormat,
        target_rate: int = SAMPLE_RATE,
        *,
        channel: int | None = None,
    ) -> None:
        """Decode `format` to `target_rate` (Hz).

        Args:
            format: format of the bytes.
            target_rate: sample rate of the result (Hz).
            channel: the only channel to use, counted from 1; None mixes all (see `Mixer`).

        Raises:
            AudioFormatError: there is no such channel.
        """
        self.format = format
        self._rest = b""
        self._check = HeaderCheck(format)
        self._mixer = Mixer(format.channels, format.sample_rate, channel)
        self._resampler = (
            None
            if format.sample_rate == target_rate
            else soxr.ResampleStream(format.sample_rate, target_rate, 1, dtype="float32")
        )

    def decode(self, data: bytes | bytearray | memoryview) -> NDArray[np.float32]:
        """Decode the next bytes; an incomplete sample at the end waits for the next call.

        Returns:
            float32 ``[n]`` within ±1. The resampler holds back a few milliseconds, and the mixer
            of several channels up to 20 ms.

        Raises:
            AudioFormatError: the stream begins like a file of another format.
        """
        data = bytes(data)
        self._check.look(data)
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % self.format.frame_bytes
        self._rest = data[whole:]
        samples = _samples(data[:whole], self.format.encoding)
        mixed = self._mixer.mix(samples.reshape(-1, self.format.channels))
        return self._resample(mixed, last=False)

    def finish(self) -> NDArray[np.float32]:
        """Return the rest of mixer and resampler, float32 ``[n]``, and end the stream.

        Raises:
            AudioFormatError: the last sample is not whole. Its bytes are let go, so a second
                call returns what was held.
        """
        rest, self._rest = self._rest, b""
        if rest:
            raise AudioFormatError(
                f"the audio ended {len(rest)} bytes into a sample of "
                f"{self.format.frame_bytes} bytes ({self.format.encoding}, "
                f"channels: {self.format.channels}); check encoding and channels"
            )
        return self._resample(self._mixer.finish(), last=True)

    def close(self) -> None:
        """Do nothing; other decoders free resources here."""

    def _resample(self, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        if self._resampler is None:
            return samples
        resampled: NDArray[np.float32] = self._resampler.resample_chunk(samples, last=last)
        return bounded(resampled)


def bounded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples clipped to ±1; NaN and infinities become 0."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise AudioFormatError(f"{name} is {value!r}; expected an integer from {low} to {high}")


def _samples(data: bytes, encoding: str) -> NDArray[np.float32]:
    """Decode whole samples: float32 ``[n]`` within ±1, channels still interleaved."""
    if encoding == "pcm_s16le":
        return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)
    if encoding == "pcm_f32le":
        return bounded(np.frombuffer(data, dtype="<f4").astype(np.float32))
    if encoding == "pcm_u8":
        return (np.frombuffer(data, dtype=np.uint8).astype(np.float32) - 128) / np.float32(128)
    if encoding in ("pcm_s24le", "pcm_s32le"):
        octets = np.frombuffer(data, dtype=np.uint8).reshape(-1, ENCODINGS[encoding])
        # 24 bits are the upper ones of 32.
        whole = np.pad(octets, ((0, 0), (4 - octets.shape[1], 0))).view("<i4").ravel()
        return whole.astype(np.float32) / np.float32(2**31)
    table = _MULAW if encoding == "mulaw" else _ALAW
    return table[np.frombuffer(data, dtype=np.uint8)]


def _mulaw_table() -> NDArray[np.float32]:
    """Return the table of ITU-T G.711 mu-law.

    A code has an inverted sign, 3 bits of exponent and 4 bits of mantissa; the bias is 33 × 4.
    """
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)


def _alaw_table() -> NDArray[np.float32]:
    """Return the table of ITU-T G.711 A-law: even bits inverted, a set sign bit is positive."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    step = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, step, (step + 256) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) / 32768).astype(np.float32)


_MULAW = _mulaw_table()
_ALAW = _alaw_table()
