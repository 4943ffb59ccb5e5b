"""Resampler of decoded frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from streamwhisper.audio.channels import Mixer
from streamwhisper.audio.formats import bounded
from streamwhisper.errors import AudioFormatError

__all__ = ["Resampler"]


class Resampler:
    """Resampler of frames to float32; restarts when their format changes."""

    def __init__(
        self, sample_rate: int, channels: int | None = None, channel: int | None = None
    ) -> None:
        """Resample to `sample_rate` (Hz).

        Args:
            sample_rate: sample rate of the result (Hz).
            channels: required number of channels, returned interleaved; None mixes to mono.
            channel: the only channel to use, counted from 1; None mixes all (see `Mixer`).
        """
        self._rate = sample_rate
        self._channels = channels
        self._channel = channel
        self._seen: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._mixer: Mixer | None = None

    def convert(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Yield the complete samples, float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the frame has another number of channels.
        """
        count = frame.layout.nb_channels
        if self._channels not in (None, count):
            raise AudioFormatError(
                f"the audio has {count} channels, but channels is {self._channels}"
            )
        seen = (frame.format.name, frame.layout.name, frame.sample_rate)
        if seen != self._seen:
            yield from self.flush()
            self._resampler = AudioResampler(
                format="flt", layout=frame.layout.name, rate=self._rate
            )
            if self._channels is None:
                self._mixer = Mixer(count, self._rate, self._channel)
            self._seen = seen
        yield from self._resample(frame)

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples that resampler and mixer hold back."""
        yield from self._resample(None)
        if self._mixer is not None:
            yield self._mixer.finish()
        self._seen = self._resampler = self._mixer = None

    def silence(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """Yield what is held back, then silence, in pieces of up to a second."""
        yield from self.flush()
        left = round(seconds * self._rate)
        for at in range(0, left, self._rate):
            count = min(self._rate, left - at) * (self._channels or 1)
            yield np.zeros(count, dtype=np.float32)

    def _resample(self, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        if self._resampler is not None:
            for resampled in self._resampler.resample(frame):
                samples = bounded(resampled.to_ndarray().astype(np.float32, copy=False))
                if self._mixer is None:
                    yield samples.reshape(-1)
                else:
                    yield self._mixer.mix(samples.reshape(-1, resampled.layout.nb_channels))
