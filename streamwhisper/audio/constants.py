"""Clock of the package: audio samples, log-mel frames and encoder positions.

All audio inside the package is mono float32 at `SAMPLE_RATE`. The sizes are those of Whisper's
front end (Radford et al., 2022). They are fixed by its weights, so they are not options.
"""

from __future__ import annotations

__all__ = [
    "FRAMES_PER_POSITION",
    "FRAMES_PER_SECOND",
    "HOP",
    "N_FFT",
    "POSITIONS_PER_SECOND",
    "SAMPLE_RATE",
    "SECONDS_PER_POSITION",
    "WINDOW_FRAMES",
    "WINDOW_POSITIONS",
    "WINDOW_SAMPLES",
    "WINDOW_SECONDS",
]

SAMPLE_RATE = 16_000
"""Samples per second (Hz)."""

N_FFT = 400
"""Samples in one log-mel frame (25 ms)."""

HOP = 160
"""Samples from one log-mel frame to the next (10 ms)."""

FRAMES_PER_SECOND = SAMPLE_RATE // HOP
"""Log-mel frames per second."""

FRAMES_PER_POSITION = 2
"""Log-mel frames per encoder position: the stride of the encoder's second convolution."""

POSITIONS_PER_SECOND = FRAMES_PER_SECOND // FRAMES_PER_POSITION
"""Encoder positions, and steps of timestamp tokens, per second."""

SECONDS_PER_POSITION = 1 / POSITIONS_PER_SECOND
"""Seconds per encoder position, and per step of the timestamp tokens."""

WINDOW_SECONDS = 30
"""Longest audio that the encoder takes, in seconds."""

WINDOW_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE
"""Longest audio that the encoder takes, in samples."""

WINDOW_FRAMES = WINDOW_SECONDS * FRAMES_PER_SECOND
"""Longest audio that the encoder takes, in log-mel frames."""

WINDOW_POSITIONS = WINDOW_FRAMES // FRAMES_PER_POSITION
"""Encoder positions of the longest audio."""
