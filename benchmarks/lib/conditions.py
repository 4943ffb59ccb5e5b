"""Speech as it arrives in practice: with noise, from across a room, by telephone, quiet, fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.lib.speech import SAMPLE_RATE, clips

__all__ = [
    "Render",
    "Samples",
    "by_telephone",
    "conditions",
    "fast",
    "in_a_room",
    "quiet",
    "with_noise",
]

Samples = NDArray[np.float32]
Render = Callable[[int, Samples], Samples]
"""Returns what becomes of the clip of a number."""

QUIET_DB = -40.0
FASTER = 1.25


def with_noise(samples: Samples, noise: Samples, snr: float) -> Samples:
    """Noise, repeated as needed, `snr` decibels below the speech."""
    noise = np.resize(noise, len(samples))
    gain = np.sqrt(np.mean(samples**2) / (np.mean(noise**2) + 1e-12) / 10 ** (snr / 10))
    return _unclipped(samples + gain * noise)


def in_a_room(samples: Samples, response: Samples) -> Samples:
    """Heard from afar: convolved with a room's impulse response."""
    size = 1 << (len(samples) + len(response)).bit_length()
    response = response / np.sqrt((response**2).sum())
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    start = int(np.abs(response).argmax())
    return _unclipped(heard[start : start + len(samples)])


def by_telephone(samples: Samples) -> Samples:
    """300 to 3400 Hz, 8 kHz, 8-bit mu-law."""
    narrow = soxr.resample(samples, SAMPLE_RATE, 8000)
    spectrum, frequency = np.fft.rfft(narrow), np.fft.rfftfreq(len(narrow), 1 / 8000)
    spectrum[(frequency < 300) | (frequency > 3400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(narrow)), -1, 1)
    level = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    level = np.round(level * 127) / 127
    narrow = np.sign(level) * (256 ** np.abs(level) - 1) / 255
    return _unclipped(soxr.resample(narrow, 8000, SAMPLE_RATE))


def quiet(samples: Samples) -> Samples:
    """Speech at -40 dB below full scale, as from a microphone without gain."""
    level = float(np.sqrt(np.mean(samples**2))) + 1e-12
    return (samples * (10 ** (QUIET_DB / 20) / level)).astype(np.float32)


def fast(samples: Samples) -> Samples:
    """Speech at 1.25 times its speed, and higher by as much."""
    quick = soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE / FASTER)
    return np.asarray(quick, np.float32)


def conditions(folder: Path, snrs: Sequence[float]) -> dict[str, Render]:
    """Return the conditions by name, with noise at each signal-to-noise ratio in decibels.

    Args:
        folder: folder of speech with the sets ``noise`` and ``rir``.
        snrs: ratios in decibels.
    """
    noises = clips(folder, "noise", 100, longest=1e9)
    rooms = clips(folder, "rir", 100, longest=1e9)

    def noisy(snr: float) -> Render:
        return lambda index, samples: with_noise(samples, noises[index % len(noises)].samples, snr)

    return {
        "clean": lambda _, samples: samples,
        **{f"noise, {snr:g} dB": noisy(snr) for snr in snrs},
        "far away in a room": lambda index, samples: in_a_room(
            samples, rooms[index % len(rooms)].samples
        ),
        "telephone": lambda _, samples: by_telephone(samples),
        "quiet": lambda _, samples: quiet(samples),
        "fast": lambda _, samples: fast(samples),
    }


def _unclipped(samples: NDArray[np.floating]) -> Samples:
    peak = np.abs(samples).max()
    return (samples / peak * 0.99 if peak > 0.99 else samples).astype(np.float32)
