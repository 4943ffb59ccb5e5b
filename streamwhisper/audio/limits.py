"""Limits of decoded audio: a few bytes of a container can claim hours of it."""

from __future__ import annotations

from dataclasses import dataclass

from av.audio.frame import AudioFrame

from streamwhisper.errors import AudioFormatError

__all__ = ["DecodingBudget", "DecodingLimits"]

_PACKET_BYTES = 8
"""Bytes that a container spends on a packet, about; the smallest packets have one byte or two."""


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """Limits of what a container may hold; see `DecodingBudget`.

    Attributes:
        rates: lowest and highest sample rate (Hz).
        channels: maximum number of channels.
        frame_seconds: maximum duration of one decoded frame.
        frame_values: maximum number of samples in one decoded frame, of all channels together.
        free_seconds: seconds of audio that need no bytes to speak of, e.g. of silence.
        seconds_per_byte: seconds of audio that each encoded byte allows beyond `free_seconds`.
            Encoders need 0.05 for digital silence, and less for anything else.
        read_ahead_bytes: bytes that a stream may have between two frames, e.g. for pictures.
    """

    rates: tuple[int, int] = (4000, 1_536_000)
    channels: int = 64
    frame_seconds: float = 30.0
    frame_values: int = 2**24
    free_seconds: float = 600.0
    seconds_per_byte: float = 0.1
    read_ahead_bytes: int = 16 * 1024 * 1024


class DecodingBudget:
    """Audio that a container may still hold, by the bytes that were spent on it.

    Count each packet, then check each of its frames before resampling it.
    """

    def __init__(self, limits: DecodingLimits | None = None) -> None:
        """Begin a container; `limits` defaults to `DecodingLimits()`."""
        self.limits = limits or DecodingLimits()
        self._bytes = 0
        self._seconds = 0.0

    def count(self, packet_bytes: int) -> None:
        """Add the audio that a packet of this size allows."""
        self._bytes += packet_bytes + _PACKET_BYTES

    def check(self, frame: AudioFrame) -> None:
        """Take the duration of a decoded frame from the budget.

        Raises:
            AudioFormatError: the frame is beyond a limit.
        """
        limits, rate, channels = self.limits, frame.sample_rate, frame.layout.nb_channels
        low, high = limits.rates
        if not low <= rate <= high:
            raise AudioFormatError(
                f"the audio declares a sample rate of {rate} Hz; expected {low} to {high}. "
                "Convert it to 16000 Hz"
            )
        if channels > limits.channels:
            raise AudioFormatError(
                f"the audio has {channels} channels; expected at most {limits.channels}. Convert "
                "it to mono"
            )
        seconds = frame.samples / rate
        if seconds > limits.frame_seconds or frame.samples * channels > limits.frame_values:
            raise AudioFormatError(
                f"the audio has a frame of {seconds:.0f} s and {channels} channels; expected at "
                f"most {limits.frame_seconds:g} s. Encode it with shorter frames"
            )
        self.spend(seconds)

    def spend(self, seconds: float) -> None:
        """Take audio, or silence in its place, from the budget.

        Raises:
            AudioFormatError: the bytes so far do not allow so much.
        """
        limits = self.limits
        self._seconds += seconds
        most = limits.free_seconds + limits.seconds_per_byte * self._bytes
        if self._seconds > most:
            raise AudioFormatError(
                f"{self._bytes} bytes claim more than {most:.0f} s of audio, which no recording "
                "does; leave out long digital silence, or send the audio as WAV"
            )
