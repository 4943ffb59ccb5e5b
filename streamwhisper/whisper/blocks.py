"""Attention and transformer blocks: the arithmetic of the network, defined once.

Follows the blocks of "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al.,
2022), with the parameter names of the published checkpoints. What attends to what is the caller's
choice: a block takes functions that map projected queries, keys and values to attended values. So
the same block serves ragged rows (`streamwhisper.whisper.row_attention`), padded batches
(`streamwhisper.whisper.batched_encoder`) and fixed slots
(`streamwhisper.whisper.static_decoder`).

Shapes: B batch, S or L positions, D model width, H heads, W = D / H.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from streamwhisper.whisper.kv_cache import KeyValues

__all__ = [
    "CrossAttend",
    "DecoderBlock",
    "EncoderBlock",
    "MultiHeadAttention",
    "SelfAttend",
    "alignment_weights",
    "attend",
    "split_heads",
]

SelfAttend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps queries, keys and values ``[B, L, D]`` of new positions to attended values ``[B, L, D]``."""

CrossAttend = Callable[[Tensor], Tensor]
"""Maps queries ``[B, L, D]`` to values ``[B, L, D]`` attended in the encoded audio."""


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """Return ``x [B, S, D]`` as ``[B, H, S, W]``; a view."""
    return x.view(*x.shape[:2], n_head, x.shape[2] // n_head).transpose(1, 2)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return scaled dot-product attention of all heads.

    Args:
        queries: projected, ``[B, L, D]``.
        keys: ``[B, H, S, W]``.
        values: ``[B, H, S, W]``.
        mask: broadcast to ``[B, H, L, S]``: bool (True attends) or a bias on the scores; None
            attends to all positions.

    Returns:
        attended values ``[B, L, D]``.
    """
    heads = split_heads(queries, keys.shape[1])
    attended = F.scaled_dot_product_attention(heads, keys, values, attn_mask=mask)
    return attended.transpose(1, 2).flatten(2)


def alignment_weights(queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the attention weights of some heads, float32 ``[..., L, S]``.

    Args:
        queries: ``[..., L, W]``.
        keys: ``[..., W, S]``.
        bias: added to the scores.
    """
    scores = queries @ keys * queries.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    weights: Tensor = scores.float().softmax(dim=-1)
    return weights


class MultiHeadAttention(nn.Module):
    """Projections of one attention layer; see `attend` for the attention itself."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.n_head = n_head
        self.query = nn.Linear(n_state, n_state)
        self.key = nn.Linear(n_state, n_state, bias=False)
        self.value = nn.Linear(n_state, n_state)
        self.out = nn.Linear(n_state, n_state)
        self.fused: nn.Module | None = None

    def fuse(self, fused: nn.Module) -> None:
        """Replace the layers for queries, keys and values by one that maps D to 3 D."""
        self.fused = fused
        del self.query, self.key, self.value

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of ``x [B, S, D]``, each ``[B, S, D]``."""
        if self.fused is None:
            return self.query(x), self.key(x), self.value(x)
        queries, keys, values = self.fused(x).chunk(3, dim=-1)
        return queries, keys, values

    def key_values(self, x: Tensor) -> KeyValues:
        """Return keys and values of ``x [B, S, D]``, each ``[B, H, S, W]``."""
        return split_heads(self.key(x), self.n_head), split_heads(self.value(x), self.n_head)


def _mlp(n_state: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_state, 4 * n_state), nn.GELU(), nn.Linear(4 * n_state, n_state)
    )


class EncoderBlock(nn.Module):
    """Self-attention, then an MLP; each is residual and normalizes its input."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.mlp = _mlp(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(self, x: Tensor, attend_audio: SelfAttend) -> Tensor:
        """Map ``x [B, S, D]`` to ``[B, S, D]``."""
        x = x + self.attn.out(attend_audio(*self.attn.project(self.attn_ln(x))))
        output: Tensor = x + self.mlp(self.mlp_ln(x))
        return output


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to the audio, then an MLP; each is residual."""

    def __init__(self, n_state: int, n_head: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.cross_attn = MultiHeadAttention(n_state, n_head)
        self.cross_attn_ln = nn.LayerNorm(n_state)
        self.mlp = _mlp(n_state)
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(
        self, x: Tensor, attend_text: SelfAttend, attend_audio: CrossAttend
    ) -> tuple[Tensor, Tensor]:
        """Map ``x [B, L, D]`` to ``[B, L, D]``, and return the cross-attention's queries beside."""
        x = x + self.attn.out(attend_text(*self.attn.project(self.attn_ln(x))))
        queries: Tensor = self.cross_attn.query(self.cross_attn_ln(x))
        x = x + self.cross_attn.out(attend_audio(queries))
        return x + self.mlp(self.mlp_ln(x)), queries
