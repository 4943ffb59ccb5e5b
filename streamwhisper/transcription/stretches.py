"""Stretches of a recording that are heard: speech with its short pauses, without long silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.vad.spans import Span, map_speech

__all__ = ["first_speech", "stretches"]

LONGEST_PAUSE = 3.0
"""Seconds of silence that belong to the speech beside it, also at both ends of a recording."""
BLOCK_SECONDS = 600
"""Seconds of a recording that are searched for speech at a time."""


def stretches(
    samples: int, spans: Sequence[Span], longest_pause: float = LONGEST_PAUSE
) -> list[Span]:
    """Return the stretches of a recording without its long silences.

    Args:
        samples: length of the recording.
        spans: its speech.
        longest_pause: seconds of silence that are heard with the speech beside it.
    """
    most = round(longest_pause * SAMPLE_RATE)
    found: list[Span] = []
    for span in spans:
        if found and span.start - found[-1].end <= most:
            found[-1] = Span(found[-1].start, span.end)
        else:
            found.append(span)
    if found and found[0].start <= most:
        found[0] = Span(0, found[0].end)
    if found and samples - found[-1].end <= most:
        found[-1] = Span(found[-1].start, samples)
    return found


def first_speech(samples: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    """Return the first seconds of speech, or the beginning of a recording without speech."""
    count = round(seconds * SAMPLE_RATE)
    parts, held = list[NDArray[np.float32]](), 0
    for first in range(0, len(samples), BLOCK_SECONDS * SAMPLE_RATE):
        block = samples[first : first + BLOCK_SECONDS * SAMPLE_RATE]
        for span in stretches(len(block), map_speech(block).spans()):
            parts.append(block[span.start : span.end])
            held += len(parts[-1])
        if held >= count:
            break
    return np.concatenate(parts)[:count] if parts else samples[:count]
