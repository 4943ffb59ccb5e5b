"""Tensors that lie in a file: read when they are touched, and let go one by one.

A file is mapped once, copy on write. Its pages count as memory in use for as long as they are
mapped, so each tensor that is dropped (converted, quantised, moved to a GPU) gives its own back:
otherwise the file would stand in memory beside what was made of it.
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
    """One file's bytes as tensors. The mapping lives as long as any of them."""

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            OSError, ValueError: it cannot be read, or is empty.
        """
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def tensor(self, offset: int, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        """The tensor whose bytes begin at `offset`, row by row, little-endian.

        Raises:
            ValueError: it would reach past the end of the file.
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
        """Give the pages back that lie wholly inside `raw` once nobody needs it."""
        if not hasattr(self._map, "madvise"):
            return  # Windows
        first = -(-offset // mmap.PAGESIZE) * mmap.PAGESIZE
        last = (offset + size) // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            ending = weakref.finalize(
                raw, self._map.madvise, mmap.MADV_DONTNEED, first, last - first
            )
            ending.atexit = False
