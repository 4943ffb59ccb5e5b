"""Whisper's network in plain PyTorch: an audio encoder and a text decoder.

Follows "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al., 2022);
module and parameter names are those of the published checkpoints, so they load as they are.
The network holds no state: what grows while text is decoded lives in a `DecoderCache` that the
caller passes in. Shapes: B batch, H heads, D width, S positions, L tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamwhisper.whisper.checkpoints import Checkpoint, ModelDimensions

__all__ = ["AudioEncoder", "DecoderCache", "KeysValues", "TextDecoder", "Whisper"]

KeysValues = tuple[Tensor, Tensor]
"""Keys and values of one layer, each ``[B, H, S, D / H]``."""


@dataclass(slots=True)
class DecoderCache:
    """Keys and values of every decoder layer.

    Attributes:
        self_attention: preallocated for ``n_text_ctx`` tokens; `length` of them are filled.
        cross_attention: of the encoded sound; never changes.
        cross_bias: added to its attention scores, ``[1, S]``; None for none.
        length: tokens held. Set it back to forget the last ones.
    """

    self_attention: list[KeysValues]
    cross_attention: list[KeysValues]
    cross_bias: Tensor | None = None
    length: int = 0


class MultiHeadAttention(nn.Module):
    """Projections of one attention layer; the caller decides what attends to what."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.query = nn.Linear(n_state, n_state)
        self.key = nn.Linear(n_state, n_state, bias=False)
        self.value = nn.Linear(n_state, n_state)
        self.out = nn.Linear(n_state, n_state)

    def heads(self, x: Tensor) -> Tensor:
        """``[B, S, D]`` to ``[B, H, S, D / H]``."""
        return x.view(*x.shape[:2], self.n_head, -1).transpose(1, 2)

    def keys_values(self, x: Tensor) -> KeysValues:
        """Keys and values of ``x [B, S, D]``."""
        return self.heads(self.key(x)), self.heads(self.value(x))

    def merge(self, attended: Tensor) -> Tensor:
        """Attended values ``[B, H, S, D / H]`` to the layer's output ``[B, S, D]``."""
        output: Tensor = self.out(attended.transpose(1, 2).flatten(2))
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
        self, x: Tensor, tail: KeysValues | None, bias: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """``x [B, T, D]`` to the same, and its own keys and values.

        `tail` holds keys and values of positions after T that are attended to, not computed;
        `bias` is added to the attention scores.
        """
        normed = self.attn_ln(x)
        query = self.attn.heads(self.attn.query(normed))
        keys, values = own = self.attn.keys_values(normed)
        if tail is not None:
            keys = torch.cat((keys, tail[0].expand(len(x), -1, -1, -1)), dim=2)
            values = torch.cat((values, tail[1].expand(len(x), -1, -1, -1)), dim=2)
        x = x + self.attn.merge(F.scaled_dot_product_attention(query, keys, values, attn_mask=bias))
        return x + self.mlp(self.mlp_ln(x)), own


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

    def forward(
        self,
        mel: Tensor,
        positions: int | None = None,
        tail: Sequence[KeysValues] | None = None,
        bias: Tensor | None = None,
    ) -> tuple[Tensor, list[KeysValues]]:
        """Encode the first `positions` positions of ``mel [B, n_mels, n_frames]``.

        Args:
            mel: clamped and scaled; frames past ``2 * positions`` only feed the convolutions.
            positions: how many to compute; all of them (n_frames / 2) where None.
            tail: for each layer, keys and values of the positions that follow.
            bias: added to the attention scores, ``[1, positions + those of the tail]``.

        Returns:
            the output ``[B, positions, D]`` and each layer's own keys and values.
        """
        x = F.gelu(self.conv1(mel))
        x = F.gelu(self.conv2(x)).transpose(1, 2)[:, :positions]
        x = x.contiguous() + self.positional_embedding[: x.shape[1]]
        recorded = []
        for index, block in enumerate(self.blocks):
            x, keys_values = block(x, None if tail is None else tail[index], bias)
            recorded.append(keys_values)
        return self.ln_post(x), recorded


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
        mask: Tensor | None,
        cache: DecoderCache,
        layer: int,
        heads: Sequence[int],
        audible: int,
    ) -> tuple[Tensor, Tensor]:
        """``x [B, L, D]`` to the same, and the cross-attention weights of `heads`."""
        held, length = cache.length, cache.length + x.shape[1]
        normed = self.attn_ln(x)
        query = self.attn.heads(self.attn.query(normed))
        keys, values = cache.self_attention[layer]
        keys[:, :, held:length], values[:, :, held:length] = self.attn.keys_values(normed)
        attended = F.scaled_dot_product_attention(
            query, keys[:, :, :length], values[:, :, :length], attn_mask=mask
        )
        x = x + self.attn.merge(attended)
        query = self.cross_attn.heads(self.cross_attn.query(self.cross_attn_ln(x)))
        keys, values = cache.cross_attention[layer]
        weights = _attention_weights(query[:, heads], keys[:, heads, :audible])
        attended = F.scaled_dot_product_attention(query, keys, values, attn_mask=cache.cross_bias)
        x = x + self.cross_attn.merge(attended)
        return x + self.mlp(self.mlp_ln(x)), weights


class TextDecoder(nn.Module):
    """Tokens and encoded sound to the next token's logits."""

    def __init__(self, dims: ModelDimensions, alignment_heads: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        n_state = dims.n_text_state
        self.token_embedding = nn.Embedding(dims.n_vocab, n_state)
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
        self, tokens: Tensor, positions: Tensor, cache: DecoderCache, audible: int
    ) -> tuple[Tensor, Tensor]:
        """Run ``tokens [B, L]``, which follow those in `cache`, and add them to it.

        Args:
            positions: ``[L]``, the tokens' places in the text context.
            audible: how many encoder positions hold sound; attention weights cover those.

        Returns:
            hidden states ``[B, L, D]`` (see `logits`), and the cross-attention weights of the
            alignment heads, ``[B, n_alignment_heads, L, audible]``, in float32.
        """
        held, length = cache.length, cache.length + tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[positions]
        mask = None
        if tokens.shape[1] > 1:
            mask = torch.ones(tokens.shape[1], length, dtype=torch.bool, device=tokens.device).tril(
                held
            )
        weights = []
        for layer, block in enumerate(self.blocks):
            x, aligned = block(x, mask, cache, layer, self.aligning[layer], audible)
            weights.append(aligned)
        cache.length = length
        return self.ln(x), torch.cat(weights, dim=1)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states ``[..., D]`` to float32 logits ``[..., n_vocab]``."""
        return F.linear(hidden, self.token_embedding.weight).float()


def _attention_weights(query: Tensor, keys: Tensor) -> Tensor:
    scores = query @ keys.transpose(-1, -2) * query.shape[-1] ** -0.5
    weights: Tensor = scores.float().softmax(dim=-1)
    return weights


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

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, *, device: torch.device, dtype: torch.dtype
    ) -> Whisper:
        """Build it with a checkpoint's weights, on `device` and in `dtype`."""
        with torch.device("meta"):
            model = cls(checkpoint.dims, checkpoint.alignment_heads)
        state = {
            name: tensor.to(device=device, dtype=dtype) for name, tensor in checkpoint.state.items()
        }
        model.load_state_dict(state, strict=True, assign=True)
        return model.requires_grad_(False).eval()

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.decoder.token_embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are kept in."""
        return self.decoder.token_embedding.weight.dtype

    def cross_attention(self, encoded: Tensor) -> list[KeysValues]:
        """Each decoder layer's keys and values of ``encoded [B, S, D]``."""
        blocks = cast("Iterable[DecoderBlock]", self.decoder.blocks)
        return [block.cross_attn.keys_values(encoded) for block in blocks]

    def decoder_cache(
        self, cross_attention: list[KeysValues], cross_bias: Tensor | None = None
    ) -> DecoderCache:
        """An empty cache for text about this sound."""
        dims = self.dims
        batch = cross_attention[0][0].shape[0]
        shape = (batch, dims.n_text_head, dims.n_text_ctx, dims.n_text_state // dims.n_text_head)
        empty = [
            (
                torch.empty(shape, device=self.device, dtype=self.dtype),
                torch.empty(shape, device=self.device, dtype=self.dtype),
            )
            for _ in range(dims.n_text_layer)
        ]
        return DecoderCache(empty, cross_attention, cross_bias)


def _upper_heads(dims: ModelDimensions) -> list[tuple[int, int]]:
    layers = range(dims.n_text_layer // 2, dims.n_text_layer)
    return [(layer, head) for layer in layers for head in range(dims.n_text_head)]
