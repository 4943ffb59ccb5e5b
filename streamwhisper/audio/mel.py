"""Log-mel front end of Whisper, for whole recordings and streams.

Frame k is centred at sample 160 k: a 400-sample periodic Hann window, power spectrum,
Slaney-normalised mel filters and log10, as in the reference implementation of Whisper
(Radford et al. 2022, ``log_mel_spectrogram``). *Raw* frames are the plain log10 values; `scale`
clamps and scales them over a window, because that step depends on the window's loudest bin.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import HOP, N_FFT, SAMPLE_RATE
from streamwhisper.audio.ring import RingBuffer

__all__ = ["HOP", "N_FFT", "SILENCE", "LogMel", "log_mel", "mel_filters", "scale"]

HALF = N_FFT // 2
SILENCE = -10.0  # the raw value of a frame of zeros
_BLOCK = 256
_PIECE = 24 * _BLOCK  # frames; about a minute

_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)


@cache
def mel_filters(n_mels: int) -> NDArray[np.float32]:
    """Return triangular mel filters of equal area (Slaney, Auditory Toolbox 1998).

    Returns:
        float32 ``[n_mels, 201]``, read-only; equal to those shipped with Whisper.

    Raises:
        ValueError: `n_mels` is not 80 or 128, the two that Whisper models use.
    """
    if n_mels not in (80, 128):
        raise ValueError(f"n_mels is {n_mels}; Whisper models have 80 or 128 mel bins")
    # Slaney's scale is linear to 1000 Hz (15 mel) and logarithmic above.
    step, knee, base = 200 / 3, 1000.0, np.log(6.4) / 27
    top = knee / step + np.log(SAMPLE_RATE / 2 / knee) / base
    mels = np.linspace(0, top, n_mels + 2)
    edges = np.where(mels < knee / step, step * mels, knee * np.exp(base * (mels - knee / step)))
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    width = np.diff(edges)
    rising = (bins - edges[:-2, None]) / width[:-1, None]
    falling = (edges[2:, None] - bins) / width[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    filters = (np.maximum(0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)
    filters.flags.writeable = False
    return filters


def scale(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clamp raw frames at 8 below the window's maximum and scale: ``(x + 4) / 4``.

    Args:
        raw: float32 ``[n_mels, n]``.

    Returns:
        float32 ``[n_mels, n]``, the input of Whisper's encoder.
    """
    if raw.size == 0:
        return raw.copy()
    clamped: NDArray[np.float32] = np.maximum(raw, raw.max() - np.float32(8))
    return (clamped + np.float32(4)) / np.float32(4)


def log_mel(
    audio: NDArray[np.float32], n_mels: int = 80, *, silence: int = 0
) -> NDArray[np.float32]:
    """Return the scaled log-mel frames of a whole recording at 16 kHz.

    Nothing but the result grows with the recording.

    Args:
        audio: float32 ``[n]``.
        n_mels: 80 or 128.
        silence: samples of silence that follow the audio.

    Returns:
        float32 ``[n_mels, (n + silence) // 160]``.
    """
    total = len(audio) + silence
    raw = np.empty((n_mels, total // HOP), dtype=np.float32)
    for first in range(0, raw.shape[1], _PIECE):
        last = min(first + _PIECE, raw.shape[1])
        start, end = first * HOP - HALF, (last - 1) * HOP - HALF + N_FFT
        raw[:, first:last] = _raw_frames(_surrounded(audio, total, start, end), n_mels)
    if raw.size:  # as `scale`, in place
        np.maximum(raw, raw.max() - np.float32(8), out=raw)
        raw += np.float32(4)
        raw /= np.float32(4)
    return raw


def _surrounded(
    audio: NDArray[np.float32], total: int, start: int, end: int
) -> NDArray[np.float32]:
    """Return samples of `audio`, silent from its end up to `total` and mirrored beyond."""

    def outside(first: int, last: int) -> NDArray[np.float32]:
        at = np.abs(np.arange(first, last))
        at = np.where(at < total, at, 2 * (total - 1) - at)
        found = np.zeros(len(at), np.float32)
        within = at < len(audio)
        found[within] = audio[at[within]]
        return found

    before, after = outside(start, min(0, end)), outside(max(start, len(audio)), end)
    return np.concatenate([before, audio[max(0, start) : max(0, min(end, len(audio)))], after])


def _raw_frames(samples: NDArray[np.float32], n_mels: int) -> NDArray[np.float32]:
    """Return the raw frames of ``[HOP * (n - 1) + N_FFT]`` samples, float32 ``[n_mels, n]``."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP]
    raw = np.empty((n_mels, len(windows)), dtype=np.float32)
    for first in range(0, len(windows), _BLOCK):  # an hour of audio must not need gigabytes
        block = slice(first, first + _BLOCK)
        spectrum = np.fft.rfft(windows[block] * _HANN, axis=-1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
        mel = mel_filters(n_mels) @ power.T
        np.log10(np.maximum(mel, np.float32(1e-10)), out=raw[:, block])
    return raw


class LogMel:
    """Raw log-mel frames of a stream on the absolute frame clock; each is computed at most once.

    The samples of the frames are kept as well, so a window can end at any earlier sample, with
    silence after it. A frame is computed when it is first requested, so audio behind a closed gate
    costs no more than its copy.
    """

    def __init__(self, n_mels: int, capacity_frames: int) -> None:
        """Hold the last `capacity_frames` frames (10 ms each) of `n_mels` bins (80 or 128)."""
        mel_filters(n_mels)
        if capacity_frames <= 0:
            raise ValueError(f"capacity_frames is {capacity_frames}; expected at least 1")
        self._sound = RingBuffer(capacity_frames * HOP + N_FFT)
        self._capacity = capacity_frames
        self._frames: NDArray[np.float32] = np.zeros((n_mels, capacity_frames), np.float32)
        self._computed = 0

    @property
    def sound(self) -> RingBuffer:
        """Samples of the frames held. Only `append` may write to it."""
        return self._sound

    @property
    def nbytes(self) -> int:
        """Size of the frames and samples held."""
        return self._frames.nbytes + (self._capacity * HOP + N_FFT) * self._frames.itemsize

    @property
    def start_frame(self) -> int:
        """Absolute index of the oldest frame held."""
        return max(0, self.end_frame - self._capacity)

    @property
    def end_frame(self) -> int:
        """Absolute index after the newest complete frame."""
        return _complete(self._sound.end)

    def append(self, samples: NDArray[np.float32]) -> None:
        """Append audio, float32 ``[n]`` at 16 kHz."""
        self._sound.append(samples)

    def room(self, keep_from: int) -> int:
        """Return how many samples can be appended without losing frames from `keep_from` on."""
        first = max(0, keep_from) // HOP * HOP
        return max(0, self._capacity * HOP - (self._sound.end - first))

    def frames(self, first: int, last: int) -> NDArray[np.float32]:
        """Return the complete raw frames `first` up to `last`, float32 ``[n_mels, last - first]``.

        Raises:
            IndexError: part of the range is not held.
        """
        if not self.start_frame <= first <= last <= self.end_frame:
            raise IndexError(
                f"frames {first} to {last} were asked for, "
                f"but {self.start_frame} to {self.end_frame} are held"
            )
        self._compute()
        held: NDArray[np.float32] = self._frames[:, np.arange(first, last) % self._capacity]
        return np.ascontiguousarray(held)

    def tail(self, end_sample: int | None = None) -> NDArray[np.float32]:
        """Return the raw frames across the end of the audio, as if zeros followed it.

        Args:
            end_sample: an earlier end; the audio after it counts as zeros.

        Returns:
            float32 ``[n_mels, n]``, n at most 3; further frames would be all `SILENCE`.

        Raises:
            IndexError: the samples around `end_sample` are not held.
        """
        end = self._sound.end if end_sample is None else end_sample
        first, last = _complete(end), _touched(end)
        if first == last:
            return np.zeros((len(self._frames), 0), dtype=np.float32)
        return _raw_frames(self._around(first, last, end), len(self._frames))

    def window(self, first_frame: int, end_sample: int | None = None) -> NDArray[np.float32]:
        """Return the raw frames from `first_frame` through the last one that touches any audio.

        With frames of `SILENCE` appended it equals the mel of the audio with zeros appended.

        Args:
            first_frame: absolute index of the first frame.
            end_sample: an earlier end; the audio after it counts as zeros.

        Returns:
            float32 ``[n_mels, n]``, contiguous.

        Raises:
            IndexError: part of the range is not held.
        """
        end = self._sound.end if end_sample is None else end_sample
        complete, tail = _complete(end), self.tail(end)
        if first_frame >= complete:
            return np.ascontiguousarray(tail[:, first_frame - complete :])
        return np.concatenate([self.frames(first_frame, complete), tail], axis=1)

    def _compute(self) -> None:
        """Compute the frames of all samples appended."""
        first, last = max(self._computed, self.start_frame), self.end_frame
        if first < last:
            raw = _raw_frames(self._around(first, last, self._sound.end), len(self._frames))
            self._frames[:, np.arange(first, last) % self._capacity] = raw
        self._computed = last

    def _around(self, first: int, last: int, end: int) -> NDArray[np.float32]:
        """Return the samples of frames `first` to `last`: mirrored before 0, zero from `end` on."""
        start, stop = first * HOP - HALF, (last - 1) * HOP + HALF
        mirrored = max(0, -start)
        read_end = min(max(stop, mirrored + 1), end)
        known = self._sound.read(max(0, start), read_end)
        if mirrored:
            known = np.pad(known, (0, max(0, mirrored + 1 - len(known))))
            known = np.concatenate([known[mirrored:0:-1], known])
        size = stop - start
        return np.pad(known[:size], (0, max(0, size - len(known))))


def _complete(samples: int) -> int:
    """Return the number of frames wholly within this many samples."""
    return max(0, (samples - HALF) // HOP + 1)


def _touched(samples: int) -> int:
    """Return the number of frames that touch these samples (a Hann window begins with zero)."""
    return max(0, -(-(samples + HALF - 1) // HOP)) if samples else 0
