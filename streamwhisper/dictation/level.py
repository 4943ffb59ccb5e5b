"""Level meter of the microphone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUIETEST", "bar", "decibels"]

QUIETEST = -60.0
"""Lowest level that is shown, in dBFS."""
_BARS = "▁▂▃▄▅▆▇█"
_LOUDEST = -6.0


def decibels(samples: NDArray[np.float32]) -> float:
    """Return the RMS level of float32 ``[n]`` within ±1, in dBFS; at least -120."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(-120.0, 10 * math.log10(power)) if power > 0 else -120.0


def bar(level: float) -> str:
    """Return a character for a level in dBFS; a space for silence."""
    if level < QUIETEST:
        return " "
    share = (level - QUIETEST) / (_LOUDEST - QUIETEST)
    return _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]
