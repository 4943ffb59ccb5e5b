"""Tones for the start and the end of listening."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
from numpy.typing import NDArray

from streamwhisper.dictation.devices import portaudio

__all__ = ["beep", "tone"]

_PLAYBACK_RATE = 44100
_HIGH, _LOW = 880.0, 587.0  # hertz


def tone(*, on: bool, seconds: float = 0.09) -> NDArray[np.float32]:
    """Return the high tone (on) or the low one: float32 ``[n]`` at 44.1 kHz, without clicks."""
    time = np.arange(round(seconds * _PLAYBACK_RATE)) / _PLAYBACK_RATE
    swell = np.sin(np.pi * time / seconds) ** 2
    wave = 0.2 * swell * np.sin(2 * np.pi * (_HIGH if on else _LOW) * time)
    return wave.astype(np.float32)


def beep(on: bool) -> None:
    """Play a tone in the background; without an output device, do nothing."""
    threading.Thread(target=_play, args=(tone(on=on),), daemon=True).start()


def _play(samples: NDArray[np.float32]) -> None:
    sounddevice = portaudio()
    with (
        contextlib.suppress(sounddevice.PortAudioError),
        sounddevice.OutputStream(_PLAYBACK_RATE, channels=1, dtype="float32") as stream,
    ):
        stream.write(np.concatenate([samples, np.zeros(_PLAYBACK_RATE // 4, np.float32)]))
