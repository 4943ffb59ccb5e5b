"""Memory-mapped tensors: read on first access, and freed one by one.

A file is mapped once, copy on write. Its pages count as used memory while they are mapped, so each
tensor that is dropped (converted, quantized, moved to a GPU) frees its own pages. Otherwise the
whole file would stay in memory beside the converted weights.
"""

from __future__ import annotations

import math
import mmap
import weakref
from pathlib import Path

import numpy as np
import torch

__all__ = ["MappedFile"]


class MappedFile:
    """Mapped file with tensors; the mapping exists as long as any of them."""

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            OSError, ValueError: the file cannot be read, or is empty.
        """
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def tensor(self, offset: int, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the tensor at byte `offset`, row by row, little-endian.

        Raises:
            ValueError: the tensor reaches past the end of the file.
        """
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return torch.empty(shape, dtype=dtype)
        raw = np.frombuffer(self._map, np.uint8, size, offset)
        self._let_go_with(raw, offset, size)
        tensor = torch.from_numpy(raw)
        if offset % dtype.itemsize:
            tensor = tensor.clone()  # kernels expect numbers at multiples of their size
        return tensor.view(dtype).view(shape)

    def _let_go_with(self, raw: np.ndarray, offset: int, size: int) -> None:
        """Free the pages that lie completely inside `raw` once it is garbage-collected."""
        if not hasattr(self._map, "madvise"):
            return  # Windows
        first = -(-offset // mmap.PAGESIZE) * mmap.PAGESIZE
        last = (offset + size) // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            ending = weakref.finalize(
                raw, self._map.madvise, mmap.MADV_DONTNEED, first, last - first
            )
            ending.atexit = False
