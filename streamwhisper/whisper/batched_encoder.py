"""Windows encoded abreast, padded to one length: what a GPU needs to be busy.

The encoder of `streamwhisper.whisper.model` takes each row's attention by itself, which costs a
CPU nothing; a GPU then waits for the start of one small kernel after the other. Here all rows go
through every layer as one tensor, and what pads the shorter ones is masked, so a row gives what
it gives alone, but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from streamwhisper.whisper.kv_cache import EncodedBatch, KeyValues
from streamwhisper.whisper.model import (
    AudioEncoder,
    DecoderBlock,
    EncoderBlock,
    MultiHeadAttention,
    Whisper,
)

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
        mels: clamped, scaled and padded, ``[B, n_mels, n_frames]``; frames past the last
            position only feed the convolutions.
        positions: how many to compute, P.
        bias: added to the attention scores of these and of T of the tail, ``[B, P + T]``;
            minus infinity where a row has no such position.
        tails: keys and values of silence, ``[1, H, T, D / H]`` for each encoder layer and for
            each decoder layer, of every kind that there is in the batch.
        kinds: which of the tails each row has, ``[B]``.
    """
    encoder = model.encoder
    x = _embed(encoder, mels, positions)
    mask = bias[:, None, None]
    for layer, block in enumerate(cast("Iterable[EncoderBlock]", encoder.blocks)):
        queries, keys, values = (
            _heads(block.attn, part) for part in block.attn.project(block.attn_ln(x))
        )
        keys, values = _lengthened((keys, values), [own[layer] for own, _ in tails], kinds)
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        x = x + block.attn.out(attended.transpose(1, 2).flatten(2))
        x = x + block.mlp(block.mlp_ln(x))
    x = encoder.ln_post(x)
    layers = []
    for layer, decoding in enumerate(cast("Iterable[DecoderBlock]", model.decoder.blocks)):
        attention = decoding.cross_attn
        own = _heads(attention, attention.key(x)), _heads(attention, attention.value(x))
        layers.append(_lengthened(own, [cross[layer] for _, cross in tails], kinds))
    return EncodedBatch(layers, bias)


def _embed(encoder: AudioEncoder, mels: Tensor, positions: int) -> Tensor:
    x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mels))))[:, :, :positions]
    return x.transpose(1, 2) + encoder.positional_embedding[:positions]


def _heads(attention: MultiHeadAttention, x: Tensor) -> Tensor:
    """``[B, S, D]`` to ``[B, H, S, D / H]``."""
    return x.view(*x.shape[:2], attention.n_head, -1).transpose(1, 2)


def _lengthened(own: KeyValues, tails: Sequence[KeyValues], kinds: Tensor | None) -> KeyValues:
    """Keys and values with those of each row's tail behind them."""
    if kinds is None:
        return own
    shape = (len(own[0]), -1, -1, -1)
    keys, values = (
        torch.cat((part, torch.cat(tail)[kinds] if len(tail) > 1 else tail[0].expand(shape)), 2)
        for part, tail in zip(own, zip(*tails, strict=True), strict=True)
    )
    return keys, values
