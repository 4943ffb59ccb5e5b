"""Token times from the decoder's cross-attention, by dynamic time warping.

A few attention heads of each checkpoint follow the audio (the alignment heads). Their weights,
one row for each predicted token, make a matrix of tokens by encoder positions; dynamic time
warping finds the monotonic path through it, as openai/whisper's word timestamps do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import POSITIONS_PER_SECOND

__all__ = ["CONTEXT_ROWS", "dynamic_time_warping", "onsets"]

CONTEXT_ROWS = 8
"""Skipped rows that are aligned as well, so that the first requested row begins correctly."""
SLACK_POSITIONS = POSITIONS_PER_SECOND
"""Positions before the peak of the first of these rows that are searched as well."""

Matrix = NDArray[np.float64]


def onsets(weights: NDArray[np.float32], skip: int = 0, omitted: int = 0) -> NDArray[np.int64]:
    """Return the onset of every token after the first `skip`.

    Args:
        weights: ``[n_heads, n_rows, n_positions]``; row i is the attention of the step that
            predicted token i, so the row after the last token marks its end.
        skip: number of rows whose onsets are not needed, including the omitted ones.
        omitted: number of first rows that `weights` lacks; at most `skip` - `CONTEXT_ROWS`.

    Returns:
        ``[omitted + n_rows - skip]`` encoder positions (20 ms each), never decreasing.
    """
    if weights.shape[1] == 0:
        return np.zeros(0, np.int64)
    before, first = max(0, skip - CONTEXT_ROWS), 0
    if before:
        peak = int(weights[:, before - omitted].mean(axis=0).argmax())
        first = max(0, peak - SLACK_POSITIONS)
    weights = weights[:, before - omitted :, first:]
    spread = weights.std(axis=1, keepdims=True)
    normed = (weights - weights.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)
    if weights.shape[1] == 1:
        normed = weights
    return first + dynamic_time_warping(-normed.mean(axis=0).astype(np.float64))[skip - before :]


def dynamic_time_warping(cost: Matrix) -> NDArray[np.int64]:
    """Return each row's first column on the cheapest path through ``cost [n_rows, n_columns]``.

    The path goes from the first cell to the last by steps right, down, or both. The running
    minimum of a row is computed at once: ``D[i, j] = S[j] + min over k <= j of (A[k] - S[k - 1])``
    with S the row's running cost and A the best way in from above.
    """
    rows, columns = cost.shape
    total = np.empty((rows, columns))
    total[0] = np.cumsum(cost[0])
    entered = np.ones((rows, columns), bool)  # the best way in is from above, not from the left
    for i in range(1, rows):
        above = total[i - 1].copy()
        np.minimum(above[1:], total[i - 1, :-1], out=above[1:])
        running = np.cumsum(cost[i])
        total[i] = running + np.minimum.accumulate(above - running + cost[i])
        entered[i, 1:] = total[i, :-1] >= above[1:]
    first = np.zeros(rows, np.int64)
    j = columns - 1
    for i in range(rows - 1, 0, -1):
        j -= int(entered[i, j::-1].argmax())
        first[i] = j
        if j > 0 and total[i - 1, j - 1] <= total[i - 1, j]:
            j -= 1
    return first
