"""Ring buffer of the most recent audio, addressed by the absolute sample clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RingBuffer"]


class RingBuffer:
    """Ring buffer of the last samples of a mono float32 stream.

    Sample n is the n-th one ever appended, counted from 0, however much has been dropped since.
    """

    def __init__(self, capacity: int) -> None:
        """Hold at most `capacity` samples.

        Raises:
            ValueError: `capacity` is not positive.
        """
        if capacity <= 0:
            raise ValueError(f"capacity is {capacity}; a ring buffer holds at least one sample")
        self._samples: NDArray[np.float32] = np.zeros(capacity, dtype=np.float32)
        self._end = 0

    @property
    def capacity(self) -> int:
        """Maximum number of samples held."""
        return len(self._samples)

    @property
    def start(self) -> int:
        """Absolute index of the oldest sample held."""
        return max(0, self._end - len(self._samples))

    @property
    def end(self) -> int:
        """Absolute index after the newest sample; the number of samples ever appended."""
        return self._end

    def append(self, samples: NDArray[np.float32]) -> None:
        """Add `samples` (float32 ``[n]``), dropping the oldest beyond the capacity."""
        capacity = len(self._samples)
        kept = samples[-capacity:]
        self._end += len(samples)
        first = (self._end - len(kept)) % capacity
        split = min(len(kept), capacity - first)
        self._samples[first : first + split] = kept[:split]
        self._samples[: len(kept) - split] = kept[split:]

    def read(self, start: int, end: int) -> NDArray[np.float32]:
        """Copy the samples from `start` up to `end` (absolute), float32 ``[end - start]``.

        Raises:
            IndexError: part of the range is not held.
        """
        if not self.start <= start <= end <= self._end:
            raise IndexError(
                f"samples {start} to {end} were asked for, but {self.start} to {self._end} are held"
            )
        capacity = len(self._samples)
        first, count = start % capacity, end - start
        split = min(count, capacity - first)
        result = np.empty(count, dtype=np.float32)
        result[:split] = self._samples[first : first + split]
        result[split:] = self._samples[: count - split]
        return result
