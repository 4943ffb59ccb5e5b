"""Audio cut into blocks of one size."""

from __future__ import annotations

import numpy as np


def blocks(sound: np.ndarray, size: int) -> np.ndarray:
    return sound[: len(sound) // size * size].reshape(-1, size)
