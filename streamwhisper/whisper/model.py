"""Whisper's network in plain PyTorch: an audio encoder and a text decoder.

Follows "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al., 2022);
module and parameter names are those of the published checkpoints, so they load as they are.
The network holds no state: what grows while text is decoded lives in a `DecoderCache` that the
caller passes in.

A batch is ragged: rows of any lengths lie one behind the other, ``[N, D]`` with N positions of
all rows, in all that works on single positions, so nothing is padded; attention, which mixes
positions, takes one row after the other. Shapes: H heads, D width, S positions of one row, L
tokens of one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamwhisper.whisper.dimensions import ModelDimensions
from streamwhisper.whisper.generation_config import GenerationConfig
from streamwhisper.whisper.kv_cache import (
    DecoderCache,
    EncoderRow,
    KeyValues,
    Step,
    Stepping,
    TreeBranches,
)

__all__ = ["AudioEncoder", "TextDecoder", "Whisper", "joined"]


class MultiHeadAttention(nn.Module):
    """Projections of one attention layer; the caller decides what attends to what."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.query = nn.Linear(n_state, n_state)
        self.key = nn.Linear(n_state, n_state, bias=False)
        self.value = nn.Linear(n_state, n_state)
        self.out = nn.Linear(n_state, n_state)
        self.fused: nn.Module | None = None

    def fuse(self, fused: nn.Module) -> None:
        """Take one layer for queries, keys and values, in place of three."""
        self.fused = fused
        del self.query, self.key, self.value

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of ``x [N, D]``, each ``[N, D]``."""
        if self.fused is None:
            return self.query(x), self.key(x), self.value(x)
        queries, keys, values = self.fused(x).chunk(3, dim=-1)
        return queries, keys, values

    def heads(self, x: Tensor) -> Tensor:
        """``[S, D]`` to ``[1, H, S, D / H]``."""
        return x.view(1, len(x), self.n_head, -1).transpose(1, 2)

    def merge(self, attended: Sequence[Tensor]) -> Tensor:
        """Attended values of each row, ``[1, H, S, D / H]``, to the layer's output ``[N, D]``."""
        output: Tensor = self.out(torch.cat([x[0].transpose(0, 1).flatten(1) for x in attended]))
        return output


def _mlp(n_state: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_state, 4 * n_state), nn.GELU(), nn.Linear(4 * n_state, n_state)
    )


class EncoderBlock(nn.Module):
    """Self-attention over all positions, then an MLP; both residual, normed before."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.mlp = _mlp(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(
        self, x: Tensor, rows: Sequence[EncoderRow], layer: int
    ) -> tuple[Tensor, list[KeyValues]]:
        """``x [N, D]`` to the same, and the keys and values of each row's own positions."""
        normed = self.attn_ln(x)
        lengths = [row.positions for row in rows]
        queries, keys, values = (torch.split(part, lengths) for part in self.attn.project(normed))
        attended, every_own = [], []
        for row, q, k, v in zip(rows, queries, keys, values, strict=True):
            own = (self.attn.heads(k), self.attn.heads(v))
            every_own.append(own)
            before, tail = (part[layer] if part else None for part in (row.before, row.tail))
            key, value = joined(x.dtype, before, own, tail)
            query = self.attn.heads(q)
            attended.append(F.scaled_dot_product_attention(query, key, value, attn_mask=row.bias))
        x = x + self.attn.merge(attended)
        return x + self.mlp(self.mlp_ln(x)), every_own


class AudioEncoder(nn.Module):
    """Log-mel frames (10 ms) to encoder positions (20 ms)."""

    positional_embedding: Tensor

    def __init__(self, dims: ModelDimensions) -> None:
        super().__init__()
        n_state = dims.n_audio_state
        self.conv1 = nn.Conv1d(dims.n_mels, n_state, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(n_state, n_state, kernel_size=3, stride=2, padding=1)
        self.register_buffer("positional_embedding", torch.empty(dims.n_audio_ctx, n_state))
        self.blocks = nn.ModuleList(
            EncoderBlock(n_state, dims.n_audio_head) for _ in range(dims.n_audio_layer)
        )
        self.ln_post = nn.LayerNorm(n_state)

    def forward(self, rows: Sequence[EncoderRow]) -> tuple[Tensor, list[list[KeyValues]]]:
        """Encode the rows.

        Returns:
            the output of all rows ``[N, D]``, and for each layer the keys and values of each
            row's own positions.
        """
        x = torch.cat([self._embed(row) for row in rows])
        layers = []
        for layer, block in enumerate(self.blocks):
            x, own = block(x, rows, layer)
            layers.append(own)
        return self.ln_post(x), layers

    def _embed(self, row: EncoderRow) -> Tensor:
        x = F.gelu(self.conv1(row.mel[None]))
        reach = 1 if row.first else 0  # a position that the mel has more, for the convolutions
        x = F.gelu(self.conv2(x))[0, :, reach : reach + row.positions]
        return x.T + self.positional_embedding[row.first : row.first + row.positions]


class DecoderBlock(nn.Module):
    """Causal self-attention, cross-attention to the sound, then an MLP."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.cross_attn = MultiHeadAttention(n_state, n_head)
        self.cross_attn_ln = nn.LayerNorm(n_state)
        self.mlp = _mlp(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(
        self,
        x: Tensor,
        lengths: list[int],
        masks: Sequence[Tensor | None],
        caches: Sequence[DecoderCache],
        layer: int,
        aligning: Sequence[int],
    ) -> tuple[Tensor, list[Tensor]]:
        """``x [N, D]`` to the same, and each row's cross-attention weights of `aligning` heads."""
        x = x + self.attn.merge(self._to_text(self.attn_ln(x), lengths, masks, caches, layer))
        queries = self.cross_attn.query(self.cross_attn_ln(x)).split(lengths)
        attended, weights = [], []
        for q, cache in zip(queries, caches, strict=True):
            query = self.cross_attn.heads(q)
            keys = cache.aligning[layer]
            if keys is not None:
                scores = query[0, aligning] @ keys * query.shape[-1] ** -0.5
                weights.append(scores.float().softmax(dim=-1))
            attended.append(
                F.scaled_dot_product_attention(
                    query, *cache.cross_attention[layer], attn_mask=cache.cross_bias
                )
            )
        x = x + self.cross_attn.merge(attended)
        return x + self.mlp(self.mlp_ln(x)), weights

    def _to_text(
        self,
        normed: Tensor,
        lengths: list[int],
        masks: Sequence[Tensor | None],
        caches: Sequence[DecoderCache],
        layer: int,
    ) -> list[Tensor]:
        queries, new_keys, new_values = (
            torch.split(part, lengths) for part in self.attn.project(normed)
        )
        attended = []
        for q, k, v, mask, cache in zip(queries, new_keys, new_values, masks, caches, strict=True):
            keys, values = cache.self_attention[layer]
            length = cache.length + len(q)
            keys[:, :, cache.length : length] = self.attn.heads(k)
            values[:, :, cache.length : length] = self.attn.heads(v)
            attended.append(
                F.scaled_dot_product_attention(
                    self.attn.heads(q), keys[:, :, :length], values[:, :, :length], attn_mask=mask
                )
            )
        return attended


class TextDecoder(nn.Module):
    """Tokens and encoded sound to the next token's logits."""

    def __init__(self, dims: ModelDimensions, alignment_heads: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        n_state = dims.n_text_state
        # Not nn.Embedding(...): to draw weights on the meta device torch imports its compiler,
        # which costs a second and 150 MB.
        self.token_embedding: nn.Embedding = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
            torch.empty(dims.n_vocab, n_state)
        )
        self.positional_embedding = nn.Parameter(torch.empty(dims.n_text_ctx, n_state))
        self.blocks = nn.ModuleList(
            DecoderBlock(n_state, dims.n_text_head) for _ in range(dims.n_text_layer)
        )
        self.ln = nn.LayerNorm(n_state)
        self.aligning = [
            [head for at, head in alignment_heads if at == layer]
            for layer in range(dims.n_text_layer)
        ]

    def forward(
        self,
        tokens: Sequence[Sequence[int]],
        caches: Sequence[DecoderCache],
        branches: Sequence[TreeBranches | None] | None = None,
        since: Sequence[int] | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run each row's tokens, which follow those in its cache, and add them to it.

        Args:
            branches: for rows whose tokens do not follow one another.
            since: of each row, the first token whose attention is asked for; None: all are.

        Returns:
            for each row, hidden states ``[L, D]`` (see `logits`), and the cross-attention weights
            of the alignment heads, float32 ``[n_alignment_heads, L - since, audible]``; of a
            cache without `aligning` keys, none.
        """
        device = self.positional_embedding.device
        lengths = [len(row) for row in tokens]
        every = torch.tensor([token for row in tokens for token in row], device=device)
        positions: list[int] = []
        masks: list[Tensor | None] = []
        for length, cache, own in zip(
            lengths, caches, branches or [None] * len(caches), strict=True
        ):
            if own is None:
                positions += range(cache.length, cache.length + length)
                masks.append(_causal_mask(cache.length, length, device))
            else:
                positions += [own.position] * length
                masks.append(own.mask)
        x = self.token_embedding(every) + self.positional_embedding[positions]
        aligned: list[list[Tensor]] = [[] for _ in tokens]
        for layer, block in enumerate(self.blocks):
            x, weights = block(x, lengths, masks, caches, layer, self.aligning[layer])
            for row, own in enumerate(weights):
                aligned[row].append(own)
        for length, cache in zip(lengths, caches, strict=True):
            cache.length += length
        firsts = since or [0] * len(lengths)
        weights = [
            torch.cat([own[:, first:] for own in row])
            for row, first in zip(aligned, firsts, strict=True)
            if row
        ]
        return list(self.ln(x).split(lengths)), weights

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states ``[..., D]`` to float32 logits ``[..., n_vocab]``."""
        return F.linear(hidden, self.token_embedding.weight).float()


def joined(dtype: torch.dtype, *parts: KeyValues | None) -> KeyValues:
    """Copy keys and values of neighbouring stretches of positions, one behind the other."""
    keys, values = zip(*(part for part in parts if part is not None), strict=True)
    return _concatenated(dtype, keys), _concatenated(dtype, values)


def _concatenated(dtype: torch.dtype, parts: Sequence[Tensor]) -> Tensor:
    """``[1, H, S, D / H]`` along S; each part is converted as it is copied."""
    _, heads, _, width = parts[0].shape
    lengths = [part.shape[2] for part in parts]
    whole = parts[0].new_empty((1, heads, sum(lengths), width), dtype=dtype)
    for place, part in zip(torch.split(whole, lengths, dim=2), parts, strict=True):
        place.copy_(part)
    return whole


def _causal_mask(held: int, length: int, device: torch.device) -> Tensor | None:
    if length == 1:
        return None
    return torch.ones(length, held + length, dtype=torch.bool, device=device).tril(held)


class Whisper(nn.Module):
    """The whole model, for inference."""

    def __init__(
        self, dims: ModelDimensions, alignment_heads: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Build it without weights.

        Args:
            alignment_heads: (layer, head) pairs that follow the sound; where none are known,
                all heads of the upper half of the decoder.
        """
        super().__init__()
        self.dims = dims
        self.encoder = AudioEncoder(dims)
        self.decoder = TextDecoder(dims, alignment_heads or _upper_heads(dims))
        self.generation = GenerationConfig()
        self.stepping: Stepping | None = None

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.decoder.token_embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are kept in."""
        return self.decoder.token_embedding.weight.dtype

    def cross_attention(self, encoded: Tensor, lengths: Sequence[int]) -> list[list[KeyValues]]:
        """For each row of ``encoded [N, D]``, each decoder layer's keys and values."""
        rows: list[list[KeyValues]] = [[] for _ in lengths]
        for block in cast("Iterable[DecoderBlock]", self.decoder.blocks):
            attention = block.cross_attn
            keys = attention.key(encoded).split(lengths)
            values = attention.value(encoded).split(lengths)
            for row, key, value in zip(rows, keys, values, strict=True):
                row.append((attention.heads(key), attention.heads(value)))
        return rows

    def steps(
        self, caches: Sequence[DecoderCache], *, branching: bool = False
    ) -> AbstractContextManager[Step]:
        """What writes token by token behind these caches: the decoder, or its `stepping`.

        Args:
            branching: whether rows will have more than one token at a time; the decoder's work.
        """
        if self.stepping is None or branching:
            return nullcontext(self.decoder)
        return self.stepping.steps(caches)

    def decoder_cache(
        self,
        cross_attention: list[KeyValues],
        audible: int,
        bias: Tensor | None = None,
        capacity: int | None = None,
        *,
        aligned: bool = True,
    ) -> DecoderCache:
        """An empty cache for text about one row's sound, `audible` positions of it.

        Args:
            capacity: the most tokens it can hold; None for the whole text context.
            aligned: whether the attention of the alignment heads is wanted.
        """
        dims = self.dims
        capacity = capacity or dims.n_text_ctx
        shape = (1, dims.n_text_head, capacity, dims.n_text_state // dims.n_text_head)
        empty = [
            (
                torch.empty(shape, device=self.device, dtype=self.dtype),
                torch.empty(shape, device=self.device, dtype=self.dtype),
            )
            for _ in range(dims.n_text_layer)
        ]
        aligning = [
            keys[0, heads, :audible].transpose(1, 2) if heads and aligned else None
            for (keys, _), heads in zip(cross_attention, self.decoder.aligning, strict=True)
        ]
        return DecoderCache(empty, cross_attention, bias, aligning)


def _upper_heads(dims: ModelDimensions) -> list[tuple[int, int]]:
    layers = range(dims.n_text_layer // 2, dims.n_text_layer)
    return [(layer, head) for layer in layers for head in range(dims.n_text_head)]
