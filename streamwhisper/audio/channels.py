"""Mixes several channels to one without losing the speech of any.

The channels are averaged, with two exceptions. Channels that carry next to nothing are left out,
so that a single live input of many keeps its level. If the channels cancel each other, only the
loudest is used. The choice is made for each block of 20 ms of the stream, so it does not depend on
how the stream is cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwhisper.errors import AudioFormatError

__all__ = ["MAX_CHANNELS", "Mixer", "check_channel", "mix_down"]

MAX_CHANNELS = 64
"""Largest number of channels of one stream."""

Samples = NDArray[np.float32]

_BLOCK = 0.02  # seconds
_FADE = 0.002  # seconds from one choice to another
_SLAB = 512  # blocks that are measured at once
_LAG = 8000  # levels are those of x(t) - x(t - 1/8000 s), which leaves out DC and hum
_SLOW = 10 ** (-0.1 * _BLOCK)  # held levels fall by 1 dB per second ...
_FAST = 10 ** (-2 * _BLOCK)  # ... and recent levels by 20 dB per second
# Power against the loudest channel from which a channel is used, and below which it is left out.
_JOIN, _LEAVE = 3e-3, 1e-3
# Power of the sum, against unrelated channels, below which channels cancel, and above which not.
_CANCEL, _AGREE = 0.25, 0.5
_LOUDER = 4.0  # power by which another channel must be louder to replace the chosen one


def check_channel(channel: int | None, channels: int) -> None:
    """Raise AudioFormatError if `channel` (from 1; None for the mix) is none of the `channels`."""
    if channel is not None and not 1 <= channel <= channels:
        expected = "1, or leave it out" if channels == 1 else f"1 to {channels}"
        count = "1 channel" if channels == 1 else f"{channels} channels"
        raise AudioFormatError(
            f"channel is {channel}, but the audio has {count}; expected {expected}"
        )


def mix_down(samples: Samples, sample_rate: int, channel: int | None = None) -> Samples:
    """Mix a whole recording, float32 ``[n, channels]``, to ``[n]``. See `Mixer`."""
    mixer = Mixer(samples.shape[1], sample_rate, channel)
    mixed, rest = mixer.mix(samples), mixer.finish()
    return np.concatenate([mixed, rest]) if len(rest) else mixed


class Mixer:
    """Mixer of one stream's channels; the stream may be cut anywhere."""

    def __init__(self, channels: int, sample_rate: int, channel: int | None = None) -> None:
        """Mix `channels` channels at `sample_rate` hertz.

        Args:
            channels: number of channels.
            sample_rate: samples per second of each channel.
            channel: the only channel to use, counted from 1; None mixes all.

        Raises:
            AudioFormatError: there is no such channel.
        """
        check_channel(channel, channels)
        self._fixed = 0 if channels == 1 else channel - 1 if channel is not None else None
        self._block = max(2, round(sample_rate * _BLOCK))
        self._lag = max(1, round(sample_rate / _LAG))
        rising = np.arange(self._block, dtype=np.float32) / (sample_rate * _FADE)
        self._fade = np.minimum(rising, np.float32(1))
        self._rest = np.zeros((0, channels), np.float32)
        self._choice = _Choice([0.0] * channels, [0.0] * channels, tuple(range(channels)))
        self._last: tuple[int, ...] = ()

    def mix(self, samples: Samples) -> Samples:
        """Mix the next samples, float32 ``[n, channels]``, to ``[m]``.

        Up to 20 ms are held back if there are several channels and none is fixed.
        """
        if self._fixed is not None:
            return np.ascontiguousarray(samples[:, self._fixed])
        held = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(held) - len(held) % self._block
        self._rest = held[whole:].copy()
        blocks = held[:whole].reshape(-1, self._block, held.shape[1])
        slabs = [self._mix(blocks[at : at + _SLAB]) for at in range(0, len(blocks), _SLAB)]
        return np.concatenate([np.zeros(0, np.float32), *slabs])

    def finish(self) -> Samples:
        """Return the samples that are held back, float32 ``[m]``, and end the stream."""
        rest, self._rest = self._rest, self._rest[:0]
        if not len(rest):
            return np.zeros(0, np.float32)
        return self._mix(rest[None])

    def _mix(self, blocks: Samples) -> Samples:
        """Return each block by its choice, with a crossfade where the choice changes."""
        mixed = blocks.mean(axis=2, dtype=np.float32)
        every = blocks.shape[2]
        for index, level in enumerate(_levels(blocks, self._lag)):
            choice = self._choice.after(*level)
            last, self._last = self._last or choice, choice
            if len(choice) == len(last) == every:
                continue
            block = blocks[index]
            new = _mean(block, choice)
            if last != choice:
                old = _mean(block, last)
                new = old + (new - old) * self._fade[: len(block)]
            mixed[index] = new
        flat: Samples = mixed.reshape(-1)
        return flat


@dataclass(slots=True)
class _Choice:
    """Channels in use, and the levels that led to them.

    Attributes:
        held: power of each channel, which rises at once and falls slowly.
        recent: power of each channel over the last 0.2 s.
        total: power of the sum of the channels over the last 0.2 s.
        active: the channels that carry anything.
        alone: the channel that is used because the channels cancel each other, or None.
    """

    held: list[float]
    recent: list[float]
    active: tuple[int, ...]
    total: float = 0.0
    alone: int | None = None

    def after(self, powers: list[float], total: float) -> tuple[int, ...]:
        """Return the choice for a block with this power of each channel and of their sum."""
        # Plain floats: NumPy takes ten times as long for so few numbers.
        self.held = [max(new, old * _SLOW) for new, old in zip(powers, self.held, strict=True)]
        self.recent = [new + old * _FAST for new, old in zip(powers, self.recent, strict=True)]
        self.total = total + self.total * _FAST
        loudest = max(self.held)
        if loudest > 0:
            self.active = tuple(
                channel
                for channel, level in enumerate(self.held)
                if level >= loudest * (_LEAVE if channel in self.active else _JOIN)
            )
            self.alone = self._louder() if self._cancels() else None
        return self.active if self.alone is None else (self.alone,)

    def _cancels(self) -> bool:
        limit = _CANCEL if self.alone is None else _AGREE
        return len(self.active) > 1 and self.total < limit * sum(self.recent)

    def _louder(self) -> int:
        loudest = max(self.recent)
        if self.alone is not None and loudest <= _LOUDER * self.recent[self.alone]:
            return self.alone
        return self.recent.index(loudest)


def _mean(block: Samples, choice: tuple[int, ...]) -> Samples:
    if len(choice) == 1:
        return block[:, choice[0]]
    mean: Samples = block[:, choice].mean(axis=1, dtype=np.float32)
    return mean


def _levels(blocks: Samples, lag: int) -> Iterator[tuple[list[float], float]]:
    """Yield for each block the power of each channel, and that of the channels' sum."""
    changes = blocks[:, lag:] - blocks[:, :-lag]
    sums = changes.sum(axis=2)
    powers = np.square(changes).sum(axis=1)
    return zip(powers.tolist(), np.square(sums).sum(axis=1).tolist(), strict=True)
