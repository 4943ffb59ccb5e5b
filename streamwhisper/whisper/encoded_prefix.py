"""Encoded prefix: keys and values of a window's beginning, kept from one answer to the next.

Every session has one, of up to 30 s; on a CPU it is most of a session's memory. It is a copy that
keeps nothing else alive, may have fewer bits, and lies in its own pages. In the heap, where each
prefix is a little longer than the last one, fragmentation cost twice their size.

The prefixes of one window share a store. The newest one is extended in place; earlier ones only
see their own positions, so a prefix never changes.
"""

from __future__ import annotations

import math
import mmap
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from streamwhisper.whisper.kv_cache import KeyValues

__all__ = ["EncodedPrefix", "extended"]

STEP = 512
"""Store sizes are multiples of this many positions."""


@dataclass(slots=True, eq=False)
class _Store:
    """Preallocated keys and values; filled positions are never written again.

    Attributes:
        self_attention: keys and values of the encoder layers, ``[layers, 2, H, capacity, W]``.
        cross_attention: keys and values for the decoder layers, ``[layers, 2, H, capacity, W]``.
    """

    self_attention: Tensor
    cross_attention: Tensor
    _filled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, first: int, end: int) -> bool:
        """Reserve positions `first` to `end`; return False if that is not possible."""
        with self._lock:
            if self._filled != first or end > self.self_attention.shape[3]:
                return False
            self._filled = end
            return True


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPrefix:
    """Encoded first positions of a window; never empty.

    Attributes:
        positions: number of positions.
    """

    positions: int
    _store: _Store

    @property
    def self_attention(self) -> list[KeyValues]:
        """Keys and values of each encoder layer, ``[1, H, positions, W]``."""
        return _layers(self._store.self_attention, self.positions)

    @property
    def cross_attention(self) -> list[KeyValues]:
        """Keys and values for each decoder layer, ``[1, H, positions, W]``."""
        return _layers(self._store.cross_attention, self.positions)


def extended(
    held: EncodedPrefix | None,
    self_attention: Sequence[KeyValues],
    cross_attention: Sequence[KeyValues],
    more: int,
    dtype: torch.dtype,
) -> EncodedPrefix:
    """Return `held` extended by the first `more` positions of new keys and values.

    Args:
        held: prefix to extend; None starts a new one.
        self_attention: new keys and values of each encoder layer, ``[1, H, S, W]``.
        cross_attention: new keys and values for each decoder layer, ``[1, H, S, W]``.
        more: number of positions to append, at least 1.
        dtype: floating-point type of a new store.
    """
    first = held.positions if held else 0
    end = first + more
    if held is not None and held._store.claim(first, end):
        store = held._store
    else:
        store = _Store(_room(self_attention, end, dtype), _room(cross_attention, end, dtype))
        store.claim(0, end)
        if held is not None:
            _fill(store.self_attention, 0, first, held.self_attention)
            _fill(store.cross_attention, 0, first, held.cross_attention)
    _fill(store.self_attention, first, end, self_attention)
    _fill(store.cross_attention, first, end, cross_attention)
    return EncodedPrefix(end, store)


def _room(layers: Sequence[KeyValues], positions: int, dtype: torch.dtype) -> Tensor:
    """Return an empty ``[layers, 2, H, capacity, W]`` for at least `positions` positions."""
    keys, _ = layers[0]
    _, heads, _, width = keys.shape
    shape = (len(layers), 2, heads, -(-positions // STEP) * STEP, width)
    if keys.device.type != "cpu":
        return keys.new_empty(shape, dtype=dtype)
    return torch.frombuffer(_pages(math.prod(shape) * dtype.itemsize), dtype=dtype).view(shape)


def _pages(size: int) -> mmap.mmap:
    """Map memory that costs nothing until written, and is returned to the system when freed."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    # Private pages cost half as much to allocate as shared ones, the default.
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _fill(store: Tensor, first: int, end: int, layers: Sequence[KeyValues]) -> None:
    for place, (keys, values) in zip(store, layers, strict=True):
        place[0, :, first:end] = keys[0, :, : end - first]
        place[1, :, first:end] = values[0, :, : end - first]


def _layers(store: Tensor, positions: int) -> list[KeyValues]:
    return [(keys[None, :, :positions], values[None, :, :positions]) for keys, values in store]
