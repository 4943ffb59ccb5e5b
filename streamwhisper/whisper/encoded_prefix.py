"""Settled sound: the encoded beginning of a window, kept from one answer to the next.

Every session has one, of up to 30 s, and on a CPU it is most of a session's memory. So it is a
copy that holds nothing else alive, perhaps in fewer bits, and it lies in memory of its own: in
the heap, where each answer's would be a little longer than the last one's, the gaps between them
came to twice their size.

A window's settled sounds share a store. The last of them is extended in place: those before it
see their own positions alone, so nothing that anybody holds ever changes.
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
"""Positions by which a store is larger than the next smaller one."""


@dataclass(slots=True, eq=False)
class _Store:
    """Room for positions; those that are filled are never written again.

    Attributes:
        self_attention: keys and values of the encoder, ``[layers, 2, H, capacity, D / H]``.
        cross_attention: the same for the decoder's layers.
    """

    self_attention: Tensor
    cross_attention: Tensor
    _filled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, first: int, end: int) -> bool:
        """Whether the caller may fill `first` to `end`, as nobody else may from now on."""
        with self._lock:
            if self._filled != first or end > self.self_attention.shape[3]:
                return False
            self._filled = end
            return True


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPrefix:
    """The first positions of a window, encoded; never empty.

    Attributes:
        positions: how many they are.
    """

    positions: int
    _store: _Store

    @property
    def self_attention(self) -> list[KeyValues]:
        """Keys and values of each encoder layer."""
        return _layers(self._store.self_attention, self.positions)

    @property
    def cross_attention(self) -> list[KeyValues]:
        """Keys and values for each decoder layer."""
        return _layers(self._store.cross_attention, self.positions)


def extended(
    held: EncodedPrefix | None,
    self_attention: Sequence[KeyValues],
    cross_attention: Sequence[KeyValues],
    more: int,
    dtype: torch.dtype,
) -> EncodedPrefix:
    """What is `held`, and behind it the first `more` positions of new keys and values.

    Args:
        held: None for nothing.
        self_attention: of each encoder layer.
        cross_attention: of each decoder layer.
        more: at least one.
        dtype: to keep them in.
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
    """An empty ``[layers, 2, H, capacity, D / H]`` for at least so many positions."""
    keys, _ = layers[0]
    _, heads, _, width = keys.shape
    shape = (len(layers), 2, heads, -(-positions // STEP) * STEP, width)
    if keys.device.type != "cpu":
        return keys.new_empty(shape, dtype=dtype)
    return torch.frombuffer(_pages(math.prod(shape) * dtype.itemsize), dtype=dtype).view(shape)


def _pages(size: int) -> mmap.mmap:
    """Memory that goes back to the system at once, and costs nothing until it is written to."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    # Private pages are half as dear to take as shared ones, which are the default.
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _fill(store: Tensor, first: int, end: int, layers: Sequence[KeyValues]) -> None:
    for place, (keys, values) in zip(store, layers, strict=True):
        place[0, :, first:end] = keys[0, :, : end - first]
        place[1, :, first:end] = values[0, :, : end - first]


def _layers(store: Tensor, positions: int) -> list[KeyValues]:
    return [(keys[None, :, :positions], values[None, :, :positions]) for keys, values in store]
