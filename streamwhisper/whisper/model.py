"""Whisper's network in plain PyTorch: an audio encoder and a text decoder.

Follows "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al., 2022); module
and parameter names are those of the published checkpoints. The network holds no state: keys and
values of decoded text live in a `DecoderCache` that the caller passes in.

Batches are ragged: rows of any length lie one behind the other in one tensor ``[1, N, D]``, so
nothing is padded, and attention takes one row after the other. The arithmetic itself is in
`streamwhisper.whisper.blocks`; `streamwhisper.whisper.batched_encoder` and
`streamwhisper.whisper.static_decoder` run the same blocks on padded batches, for GPUs.

Shapes: N positions of all rows, S positions or L tokens of one row, D model width, H heads,
W = D / H.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamwhisper.whisper.blocks import DecoderBlock, EncoderBlock
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
from streamwhisper.whisper.row_attention import CachedRows, EncoderRows

__all__ = ["AudioEncoder", "TextDecoder", "Whisper"]


class AudioEncoder(nn.Module):
    """Encoder: log-mel frames (10 ms) to encoder positions (20 ms)."""

    positional_embedding: Tensor

    def __init__(self, dims: ModelDimensions) -> None:
        super().__init__()
        n_state = dims.n_audio_state
        self.n_head = dims.n_audio_head
        self.conv1 = nn.Conv1d(dims.n_mels, n_state, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(n_state, n_state, kernel_size=3, stride=2, padding=1)
        self.register_buffer("positional_embedding", torch.empty(dims.n_audio_ctx, n_state))
        self.blocks = nn.ModuleList(
            EncoderBlock(n_state, dims.n_audio_head) for _ in range(dims.n_audio_layer)
        )
        self.ln_post = nn.LayerNorm(n_state)

    def embed(self, mel: Tensor, positions: int, first: int = 0) -> Tensor:
        """Return the input of the first block, ``[B, positions, D]``.

        Args:
            mel: ``[B, n_mels, n_frames]``, from frame 0, or from two frames before position
                `first`. Frames after the last position only feed the convolutions.
            positions: number of positions to compute.
            first: index of the first of them in its window.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel))))
        skipped = 1 if first else 0  # the position of the two frames before
        x = x[:, :, skipped : skipped + positions]
        return x.transpose(1, 2) + self.positional_embedding[first : first + positions]

    def forward(self, rows: Sequence[EncoderRow]) -> tuple[Tensor, list[list[KeyValues]]]:
        """Encode the rows.

        Returns:
            encoded positions of all rows, one behind the other, ``[N, D]``; for each layer, the
            keys and values of each row's computed positions.
        """
        x = torch.cat([self.embed(row.mel[None], row.positions, row.first) for row in rows], dim=1)
        layers: list[list[KeyValues]] = []
        for layer, block in enumerate(self.blocks):
            attention = EncoderRows(rows, layer, self.n_head)
            x = block(x, attention.attend_audio)
            layers.append(attention.computed)
        return self.ln_post(x)[0], layers


class TextDecoder(nn.Module):
    """Decoder: tokens and encoded audio to hidden states, and those to logits."""

    def __init__(self, dims: ModelDimensions, alignment_heads: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        n_state = dims.n_text_state
        self.n_head = dims.n_text_head
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
        """Run new tokens of each row and append them to the row's cache.

        Args:
            tokens: for each row, at least one token; they follow those in its cache.
            caches: one for each row.
            branches: for each row, its tree if its tokens do not follow one another.
            since: for each row, the first token whose alignment weights are returned; None
                returns those of all tokens.

        Returns:
            for each row, hidden states ``[L, D]`` (see `logits`); for each row whose cache has
            `aligning` keys, the weights of the alignment heads, float32
            ``[n_alignment_heads, L - since, audible]``.
        """
        lengths = list(map(len, tokens))
        x, masks = self._embed(tokens, caches, branches or [None] * len(caches))
        aligned: list[list[Tensor]] = [[] for _ in tokens]
        for layer, block in enumerate(self.blocks):
            rows = CachedRows(caches, lengths, masks, layer)
            x, queries = block(x, rows.attend_text, rows.attend_audio)
            for found, own in zip(aligned, rows.align(queries, self.aligning[layer]), strict=True):
                found += own
        for length, cache in zip(lengths, caches, strict=True):
            cache.length += length
        firsts = since or [0] * len(lengths)
        weights = [
            torch.cat([own[:, first:] for own in found])
            for found, first in zip(aligned, firsts, strict=True)
            if found
        ]
        return list(self.ln(x)[0].split(lengths)), weights

    def _embed(
        self,
        tokens: Sequence[Sequence[int]],
        caches: Sequence[DecoderCache],
        branches: Sequence[TreeBranches | None],
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Return the input of the first block, ``[1, N, D]``, and each row's attention mask."""
        device = self.positional_embedding.device
        positions: list[int] = []
        masks: list[Tensor | None] = []
        for row, cache, own in zip(tokens, caches, branches, strict=True):
            if own is None:
                positions += range(cache.length, cache.length + len(row))
                masks.append(_causal_mask(cache.length, len(row), device))
            else:
                positions += [own.position] * len(row)
                masks.append(own.mask)
        every = torch.tensor([[token for row in tokens for token in row]], device=device)
        return self.token_embedding(every) + self.positional_embedding[positions], masks

    def logits(self, hidden: Tensor) -> Tensor:
        """Return float32 logits ``[..., n_vocab]`` of hidden states ``[..., D]``."""
        return F.linear(hidden, self.token_embedding.weight).float()


def _causal_mask(held: int, length: int, device: torch.device) -> Tensor | None:
    if length == 1:
        return None
    return torch.ones(length, held + length, dtype=torch.bool, device=device).tril(held)


class Whisper(nn.Module):
    """Whole network, for inference."""

    def __init__(
        self, dims: ModelDimensions, alignment_heads: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Build the network without weights.

        Args:
            dims: its sizes.
            alignment_heads: (decoder layer, head) pairs whose cross-attention follows the audio;
                none stands for all heads of the upper half of the decoder.
        """
        super().__init__()
        self.dims = dims
        self.encoder = AudioEncoder(dims)
        self.decoder = TextDecoder(dims, alignment_heads or _upper_heads(dims))
        self.generation = GenerationConfig()
        self.stepping: Stepping | None = None

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.decoder.token_embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights and of the keys and values."""
        return self.decoder.token_embedding.weight.dtype

    def cross_attention(self, encoded: Tensor, lengths: Sequence[int]) -> list[list[KeyValues]]:
        """Return the keys and values of each row for each decoder layer.

        Args:
            encoded: rows one behind the other, ``[N, D]``.
            lengths: positions of each row.
        """
        rows: list[list[KeyValues]] = [[] for _ in lengths]
        for block in cast("Iterable[DecoderBlock]", self.decoder.blocks):
            keys, values = (
                torch.split(part, list(lengths), dim=2)
                for part in block.cross_attn.key_values(encoded[None])
            )
            for row, key, value in zip(rows, keys, values, strict=True):
                row.append((key, value))
        return rows

    def steps(
        self, caches: Sequence[DecoderCache], *, branching: bool = False
    ) -> AbstractContextManager[Step]:
        """Return the function that appends tokens to these caches, within a context.

        Args:
            caches: one for each row.
            branching: whether rows will have several tokens in a step; only the decoder itself
                supports that, so `stepping` is not used.
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
        """Return an empty cache for one text about one row of audio.

        Args:
            cross_attention: keys and values of the audio for each decoder layer.
            audible: positions that hold audio; only these get alignment weights.
            bias: added to the scores of the cross-attention, ``[1, S]``.
            capacity: most tokens that the cache can hold; None is the whole text context.
            aligned: whether alignment weights are wanted.
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
