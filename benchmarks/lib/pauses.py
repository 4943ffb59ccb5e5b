"""Pauses inserted between two words of an utterance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.lib.measure import SpokenWord
from benchmarks.lib.speech import SAMPLE_RATE, Recording

__all__ = ["middle_end", "paused"]


def middle_end(words: tuple[SpokenWord, ...]) -> float | None:
    """Return the end of the word nearest to the middle, in seconds; None without times."""
    half = len(words) // 2
    places = sorted(range(len(words) - 1), key=lambda place: abs(place + 1 - half))
    return next((words[place].end for place in places if words[place].end is not None), None)


def paused(clip: Recording, at: float, seconds: float) -> Recording:
    """Return the clip with digital silence inserted, both in seconds; word times do not move."""
    before, after = np.split(clip.samples, [round(at * SAMPLE_RATE)])
    silence = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    return replace(clip, samples=np.concatenate((before, silence, after)))
