"""Speech segments and pauses of a whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.vad.models import Leveller, SileroVad

__all__ = ["Span", "SpeechMap", "map_speech"]

BLOCK = SileroVad.block
OPENS, SHUTS = 0.5, 0.35
"""Probability from which a block is speech, and below which it can be silence."""
SILENCE = 0.2
SHORTEST = 0.06
MARGIN = 0.3
_SMOOTHING = 5
_PIECE = 1875 * BLOCK  # a minute


@dataclass(frozen=True, slots=True)
class Span:
    """Range of samples, from `start` to before `end`."""

    start: int
    end: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return (self.end - self.start) / SAMPLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class SpeechMap:
    """Speech probability of each block (32 ms) of a recording.

    Attributes:
        probabilities: probability of each block, ``[n]``.
        samples: number of samples of the recording.
    """

    probabilities: NDArray[np.float32]
    samples: int

    def spans(self) -> list[Span]:
        """Return the segments of speech, each with a margin of audio on both sides."""
        runs = list(self._runs())
        spans: list[Span] = []
        for index, (first, last) in enumerate(runs):
            start, end = first * BLOCK - _samples(MARGIN), last * BLOCK + _samples(MARGIN)
            if index:  # neighbours share the pause between them
                start = max(start, (runs[index - 1][1] + first) * BLOCK // 2)
            if index + 1 < len(runs):
                end = min(end, (last + runs[index + 1][0]) * BLOCK // 2)
            spans.append(Span(max(0, start), min(self.samples, end)))
        return spans

    def pause(self, start: int, end: int) -> int | None:
        """Return the middle of the clearest pause between two samples; None if there is none."""
        first, last = -(-start // BLOCK), end // BLOCK
        if last - first < _SMOOTHING:
            return None
        kernel = np.full(_SMOOTHING, 1 / _SMOOTHING, np.float32)
        smooth = np.convolve(self.probabilities[first:last], kernel, "valid")
        quietest = int(smooth.argmin())
        if smooth[quietest] >= OPENS:
            return None
        return (first + quietest) * BLOCK + _SMOOTHING * BLOCK // 2

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Yield the first block of each segment of speech and the block after its last."""
        first: int | None = None
        last = 0
        for block, probability in enumerate(self.probabilities.tolist()):
            if first is not None and (block - last) * BLOCK >= _samples(SILENCE):
                if (last - first) * BLOCK >= _samples(SHORTEST):
                    yield first, last
                first = None
            if probability >= (OPENS if first is None else SHUTS):
                first, last = block if first is None else first, block + 1
        if first is not None:
            yield first, last


def map_speech(samples: NDArray[np.float32]) -> SpeechMap:
    """Judge a recording, float32 mono ``[n]`` at 16 kHz; quiet audio is amplified first."""
    leveller, detector = Leveller(), SileroVad()
    judged = [np.zeros(0, np.float32)]
    for start in range(0, len(samples), _PIECE):  # in pieces, so that memory stays small
        piece = samples[start : start + _PIECE]
        blocks = np.pad(piece, (0, -len(piece) % BLOCK)).reshape(-1, BLOCK)
        gains = np.array([leveller.gain(block) for block in blocks], np.float32)
        judged.append(detector.judge((blocks * gains[:, None]).reshape(-1)))
    return SpeechMap(np.concatenate(judged), len(samples))


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
