"""Confidence of a word error rate: percentile bootstrap over clips.

Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", 2004.
Clips of one speaker are not independent, so with few speakers the true interval is a little wider.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.lib.measure import Errors

__all__ = ["interval", "resampled"]

DRAWS = 10_000


def resampled(clips: Sequence[Errors], draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """The word error rate of each resample of the clips, ``[draws]``.

    The same seed draws the same clips, so the rates of two engines on the same clips are pairs.

    Raises:
        ValueError: no clips, or a clip without words.
    """
    if not clips or min(clip.words for clip in clips) < 1:
        raise ValueError(f"{len(clips)} clips; expected one or more, each with words")
    errors = np.array([clip.total for clip in clips])
    words = np.array([clip.words for clip in clips])
    drawn = np.random.default_rng(seed).integers(0, len(clips), (draws, len(clips)))
    rates: NDArray[np.float64] = errors[drawn].sum(axis=1) / words[drawn].sum(axis=1)
    return rates


def interval(values: NDArray[np.float64], share: float = 0.95) -> tuple[float, float]:
    """The middle `share` (0 to 1) of values: its lower and its upper end."""
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
