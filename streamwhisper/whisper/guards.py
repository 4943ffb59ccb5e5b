"""Signs that a decoder has run out of sound and writes on regardless.

Each guard is a pure function of the tokens so far and of where they were heard, so a drafted
hypothesis is stopped exactly where a plain one would be. A guard never takes back committed text:
it ends the hypothesis, and the next update tries again with more sound.
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
"""Attention 3 s behind where it had got to, together with repeated text, is a loop."""
ALLOWANCE = 8
"""Tokens granted whatever the sound's length (a short word, punctuation, a late start)."""


def token_limit(seconds: float, tokens_per_second: float, most: int) -> int:
    """How many new tokens `seconds` of sound may have."""
    return min(most, ALLOWANCE + math.ceil(max(0.0, seconds) * tokens_per_second))


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the second round of a loop at the end of `tokens` begins, or None.

    A loop is a run of at least `MIN_REPEATS` equal n-grams that together have more than
    `MIN_LOOP_TOKENS` tokens: people do say "no, no, no".
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
    """Where text began to repeat while attention jumped far back, or None.

    Args:
        positions: for each token, the encoder position its step attended to most.
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
    """How many leading `words` do not yet pack better than `threshold` when joined.

    Whisper calls text above 2.4 a loop; here only its repetitive end is given up.
    """
    count = len(words)
    while count and compression_ratio("".join(words[:count])) > threshold:
        count -= 1
    return count


def compression_ratio(text: str) -> float:
    """How well zlib packs `text`."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
