"""The rows of a batch: what the network is given for one window, and keeps for one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

__all__ = ["DecoderCache", "EncoderRow", "KeysValues"]

KeysValues = tuple[Tensor, Tensor]
"""Keys and values of one layer and row, each ``[1, H, S, D / H]``."""


@dataclass(frozen=True, slots=True, eq=False)
class EncoderRow:
    """One window to encode.

    Attributes:
        mel: clamped and scaled, ``[n_mels, n_frames]``; frames past ``2 * positions`` only feed
            the convolutions.
        positions: how many to compute.
        tail: for each layer, keys and values of the positions that follow: attended to, not
            computed. None for none.
        bias: added to the attention scores, ``[1, positions + those of the tail]``.
    """

    mel: Tensor
    positions: int
    tail: Sequence[KeysValues] | None = None
    bias: Tensor | None = None


@dataclass(slots=True, eq=False)
class DecoderCache:
    """Keys and values of every decoder layer for one row.

    Attributes:
        self_attention: preallocated for ``n_text_ctx`` tokens; `length` of them are filled.
        cross_attention: of the encoded sound; never changes.
        cross_bias: added to its attention scores, ``[1, S]``; None for none.
        aligning: for each layer, the keys of its alignment heads, ``[n_heads, D / H, audible]``.
        length: tokens held. Set it back to forget the last ones.
    """

    self_attention: list[KeysValues]
    cross_attention: list[KeysValues]
    cross_bias: Tensor | None
    aligning: list[Tensor | None]
    length: int = 0
