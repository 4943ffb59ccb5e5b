"""Guards against runaway decoding: token limits, loops, and jumps back in the audio.

Each guard is a pure function of the tokens and their positions, so it stops a drafted hypothesis
exactly where it stops a plain one. A guard never revokes committed text: it ends the hypothesis,
and the next request tries again with more audio.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

__all__ = ["compression_ratio", "loop_start", "rewound", "token_limit", "varied_words"]

MAX_PERIOD = 24
MIN_LOOP_TOKENS = 6
MIN_REPEATS = 3
REWIND_POSITIONS = 150
"""Jump back of the attention, 3 s, that together with repeated text is a loop."""
ALLOWANCE = 8
"""Tokens allowed for any length of audio (a short word, punctuation, a late start)."""


def token_limit(seconds: float, tokens_per_second: float, most: int) -> int:
    """Return the maximum number of new tokens for `seconds` of audio."""
    return min(most, ALLOWANCE + math.ceil(max(0.0, seconds) * tokens_per_second))


def loop_start(tokens: Sequence[int]) -> int | None:
    """Return the start of the second round of a loop at the end of `tokens`, or None.

    A loop is a run of at least `MIN_REPEATS` equal n-grams that together have more than
    `MIN_LOOP_TOKENS` tokens; shorter runs occur in speech ("no, no, no").
    """
    count = len(tokens)
    for period in range(1, min(MAX_PERIOD, count // MIN_REPEATS) + 1):
        matching = 0
        while matching + period < count and tokens[-1 - matching] == tokens[-1 - matching - period]:
            matching += 1
        length = matching + period
        if length >= period * MIN_REPEATS and length > MIN_LOOP_TOKENS:
            return count - matching
    return None


def rewound(tokens: Sequence[int], positions: Sequence[int], ngram: int = 3) -> int | None:
    """Return the start of repeated text during which the attention jumped far back, or None.

    Args:
        tokens: tokens of the hypothesis.
        positions: for each token, the encoder position with the most attention.
        ngram: number of repeated tokens.
    """
    if len(tokens) < 2 * ngram:
        return None
    start = len(tokens) - ngram
    reached = max(positions[:start], default=0)
    if max(positions[start:]) > reached - REWIND_POSITIONS:
        return None
    tail = tuple(tokens[start:])
    repeats = any(tuple(tokens[i : i + ngram]) == tail for i in range(start - ngram + 1))
    return start if repeats else None


def varied_words(words: Sequence[str], threshold: float) -> int:
    """Return the number of leading words whose text compresses at most by `threshold`.

    Whisper drops a text above 2.4; here only its repetitive end is dropped.
    """
    count = len(words)
    while count and compression_ratio("".join(words[:count])) > threshold:
        count -= 1
    return count


def compression_ratio(text: str) -> float:
    """Return the compression ratio of `text` with zlib; 0.0 for an empty text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
