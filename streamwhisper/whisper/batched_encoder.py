"""Batched encoder: windows padded to a common length and encoded as one tensor, for GPUs.

The encoder of `streamwhisper.whisper.model` attends row by row, which costs a CPU nothing; a GPU
then waits for the start of one small kernel after the other. Here all rows pass every block as one
tensor, and padding is masked, so the result of a row does not depend on the others, except
for rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor

from streamwhisper.whisper.blocks import DecoderBlock, attend, split_heads
from streamwhisper.whisper.kv_cache import EncodedBatch, KeyValues
from streamwhisper.whisper.model import Whisper

__all__ = ["encode_batched"]


def encode_batched(
    model: Whisper,
    mels: Tensor,
    positions: int,
    bias: Tensor,
    tails: Sequence[tuple[Sequence[KeyValues], Sequence[KeyValues]]] = (),
    kinds: Tensor | None = None,
) -> EncodedBatch:
    """Encode B windows as one tensor.

    Args:
        model: the network.
        mels: clamped, scaled and padded log-mel frames, ``[B, n_mels, n_frames]``; frames after
            the last position only feed the convolutions.
        positions: number of positions to compute, P.
        bias: added to the attention scores of these and of the T positions of the tail,
            ``[B, P + T]``; minus infinity where a row has no such position.
        tails: for each kind of silence in the batch, keys and values ``[1, H, T, W]`` of each
            encoder layer and of each decoder layer.
        kinds: index in `tails` for each row, ``[B]``; None: no row has a tail.
    """
    encoder, mask = model.encoder, bias[:, None, None]
    x = encoder.embed(mels, positions)
    for layer, block in enumerate(encoder.blocks):
        attention = _PaddedRows(encoder.n_head, mask, [own[layer] for own, _ in tails], kinds)
        x = block(x, attention.attend_audio)
    x = encoder.ln_post(x)
    layers = []
    for layer, decoding in enumerate(cast("Iterable[DecoderBlock]", model.decoder.blocks)):
        own = decoding.cross_attn.key_values(x)
        layers.append(_lengthened(own, [cross[layer] for _, cross in tails], kinds))
    return EncodedBatch(layers, bias)


class _PaddedRows:
    """Self-attention of one encoder layer for a padded batch."""

    def __init__(
        self, n_head: int, mask: Tensor, tails: Sequence[KeyValues], kinds: Tensor | None
    ) -> None:
        self._n_head, self._mask, self._tails, self._kinds = n_head, mask, tails, kinds

    def attend_audio(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attend to each row's positions and to its tail; all are ``[B, P, D]``."""
        own = split_heads(keys, self._n_head), split_heads(values, self._n_head)
        return attend(queries, *_lengthened(own, self._tails, self._kinds), self._mask)


def _lengthened(own: KeyValues, tails: Sequence[KeyValues], kinds: Tensor | None) -> KeyValues:
    """Return keys and values ``[B, H, P, W]`` with each row's tail appended."""
    if kinds is None:
        return own
    shape = (len(own[0]), -1, -1, -1)
    keys, values = (
        torch.cat((part, torch.cat(tail)[kinds] if len(tail) > 1 else tail[0].expand(shape)), 2)
        for part, tail in zip(own, zip(*tails, strict=True), strict=True)
    )
    return keys, values
