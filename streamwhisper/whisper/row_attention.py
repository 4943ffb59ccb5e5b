"""Attention of ragged batches, one row after the other.

The rows of a batch lie one behind the other in one tensor ``[1, N, D]``; each attends to its own
keys and values only. On a CPU that costs nothing, as no position is padding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamwhisper.whisper.blocks import alignment_weights, attend, split_heads
from streamwhisper.whisper.kv_cache import DecoderCache, EncoderRow, KeyValues, joined

__all__ = ["CachedRows", "EncoderRows"]


class EncoderRows:
    """Self-attention of one encoder layer for a ragged batch of windows.

    Attributes:
        computed: keys and values of each row's computed positions, ``[1, H, S, W]``; filled by
            `attend_audio`.
    """

    def __init__(self, rows: Sequence[EncoderRow], layer: int, n_head: int) -> None:
        self.computed: list[KeyValues] = []
        self._rows, self._layer, self._n_head = rows, layer, n_head

    def attend_audio(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attend to the new positions, and to those before and after; all are ``[1, N, D]``."""
        lengths = [row.positions for row in self._rows]
        parts = (torch.split(part, lengths, dim=1) for part in (queries, keys, values))
        attended = []
        for row, q, k, v in zip(self._rows, *parts, strict=True):
            own = split_heads(k, self._n_head), split_heads(v, self._n_head)
            self.computed.append(own)
            before, tail = (part[self._layer] if part else None for part in (row.before, row.tail))
            attended.append(attend(q, *joined(q.dtype, before, own, tail), row.bias))
        return _one(attended)


class CachedRows:
    """Attention of one decoder layer for a ragged batch of texts, each with its cache."""

    def __init__(
        self,
        caches: Sequence[DecoderCache],
        lengths: list[int],
        masks: Sequence[Tensor | None],
        layer: int,
    ) -> None:
        """Prepare the layer.

        Args:
            caches: one for each row.
            lengths: new tokens of each row.
            masks: for each row, which tokens a new one attends to, bool ``[L, held + L]``; None
                for all.
            layer: index of the layer.
        """
        self._caches, self._lengths, self._masks, self._layer = caches, lengths, masks, layer

    def attend_text(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Write keys and values to the caches, and attend to all held; all are ``[1, N, D]``."""
        parts = (torch.split(part, self._lengths, dim=1) for part in (queries, keys, values))
        attended = []
        for cache, mask, q, k, v in zip(self._caches, self._masks, *parts, strict=True):
            held_keys, held_values = cache.self_attention[self._layer]
            n_head, end = held_keys.shape[1], cache.length + q.shape[1]
            held_keys[:, :, cache.length : end] = split_heads(k, n_head)
            held_values[:, :, cache.length : end] = split_heads(v, n_head)
            attended.append(attend(q, held_keys[:, :, :end], held_values[:, :, :end], mask))
        return _one(attended)

    def attend_audio(self, queries: Tensor) -> Tensor:
        """Attend to each row's audio, ``[1, N, D]``."""
        return _one(
            [
                attend(q, *cache.cross_attention[self._layer], cache.cross_bias)
                for q, cache in zip(
                    torch.split(queries, self._lengths, dim=1), self._caches, strict=True
                )
            ]
        )

    def align(self, queries: Tensor, heads: Sequence[int]) -> list[list[Tensor]]:
        """Return the alignment weights of each row, in a list; without `aligning` keys, none.

        Args:
            queries: of the cross-attention, ``[1, N, D]``.
            heads: alignment heads of this layer.

        Returns:
            float32 ``[len(heads), L, audible]`` for each row.
        """
        rows: list[list[Tensor]] = []
        for q, cache in zip(torch.split(queries, self._lengths, dim=1), self._caches, strict=True):
            keys = cache.aligning[self._layer]
            if keys is None:
                rows.append([])
                continue
            n_head = cache.cross_attention[self._layer][0].shape[1]
            rows.append([alignment_weights(split_heads(q, n_head)[0, heads], keys)])
        return rows


def _one(rows: list[Tensor]) -> Tensor:
    """Return the rows one behind the other, ``[1, N, D]``."""
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)
