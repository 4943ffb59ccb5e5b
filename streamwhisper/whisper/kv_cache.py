"""Inputs and caches of the network: windows to encode, keys and values of audio and text.

Shapes: B batch, H heads, S positions, L tokens, W width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = [
    "BatchSlot",
    "DecodedPrefix",
    "DecoderCache",
    "EncodedBatch",
    "EncoderRow",
    "KeyValues",
    "Step",
    "Stepping",
    "TreeBranches",
    "joined",
    "one_batch",
]

KeyValues = tuple[Tensor, Tensor]
"""Keys and values of one layer and row, each ``[1, H, S, W]``."""


@dataclass(frozen=True, slots=True, eq=False)
class EncoderRow:
    """One window to encode, or its part after an encoded prefix.

    Attributes:
        mel: clamped and scaled log-mel frames, ``[n_mels, n_frames]``, from two frames before the
            first position to compute; frames after the last position only feed the convolutions.
        positions: number of positions to compute.
        before: for each layer, keys and values of the positions before those to compute, in any
            floating-point type; they are attended to. None: `mel` begins with the window.
        tail: for each layer, keys and values of the positions after those to compute.
        bias: added to the attention scores, ``[1, all positions]``.
    """

    mel: Tensor
    positions: int
    before: Sequence[KeyValues] | None = None
    tail: Sequence[KeyValues] | None = None
    bias: Tensor | None = None

    @property
    def first(self) -> int:
        """Index of the first position to compute."""
        return self.before[0][0].shape[2] if self.before else 0


@dataclass(frozen=True, slots=True, eq=False)
class EncodedBatch:
    """Encoded windows of one batch, padded to a common length.

    Attributes:
        layers: keys and values of each decoder layer, ``[B, H, S, W]``.
        bias: added to the cross-attention scores, ``[B, S]``; minus infinity where a row is padded.
    """

    layers: list[KeyValues]
    bias: Tensor

    def row(self, number: int) -> list[KeyValues]:
        """Return the keys and values of one window for each layer, each ``[1, H, S, W]``."""
        own = slice(number, number + 1)
        return [(keys[own], values[own]) for keys, values in self.layers]


@dataclass(frozen=True, slots=True, eq=False)
class BatchSlot:
    """Position of one window in an encoded batch.

    Attributes:
        batch: the encoded batch.
        row: index of the window in it.
        audible: number of positions that hold audio; only these get alignment weights.
    """

    batch: EncodedBatch
    row: int
    audible: int


def one_batch(slots: Sequence[BatchSlot | None]) -> EncodedBatch | None:
    """Return the batch that all slots belong to; None if there is none, or more than one."""
    batches = {None if slot is None else slot.batch for slot in slots}
    return batches.pop() if len(batches) == 1 else None


@dataclass(slots=True, eq=False)
class DecoderCache:
    """Keys and values of every decoder layer for one text.

    Attributes:
        self_attention: keys and values of the text, preallocated for all tokens that can come;
            the first `length` are filled.
        cross_attention: keys and values of the audio; never changes.
        cross_bias: added to the cross-attention scores, ``[1, S]``; None adds nothing.
        aligning: for each layer, the keys of its alignment heads, ``[n_heads, W, audible]``; None
            if the layer has none, or no alignment is wanted.
        length: number of tokens held. Lower it to forget the last tokens.
        slot: slot in a batch; then the static decoder holds all keys and values.
    """

    self_attention: list[KeyValues]
    cross_attention: list[KeyValues]
    cross_bias: Tensor | None
    aligning: list[Tensor | None]
    length: int = 0
    slot: BatchSlot | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TreeBranches:
    """Alternative next tokens of several texts that share a beginning.

    All branches lie in one row and one cache, so they attend to the audio together, and no cache
    is ever copied or reordered.

    Attributes:
        position: position of each token in its text; equal for all.
        mask: for each token, which of the held and new tokens belong to its text, bool
            ``[L, held + L]``; None for a single token that follows all held ones.
    """

    position: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPrefix:
    """Decoder state of a text; a later decoding can continue after any of its tokens.

    Attributes:
        tokens: context, prefix and decoded tokens.
        self_attention: keys and values of each layer, for every token.
        weights: attention of the alignment heads, float32 ``[n_heads, n_rows, audible]``: one row
            for each token from the last of the context on, without the first `first_row`.
        first_row: number of rows left out at the beginning.
        no_speech_probability: probability at the start-of-transcript token.
    """

    tokens: tuple[int, ...]
    self_attention: list[KeyValues]
    weights: Tensor
    first_row: int
    no_speech_probability: float

    def shared(self, tokens: Sequence[int]) -> int:
        """Return the length of the common beginning of its tokens and `tokens`."""
        count = 0
        for own, other in zip(self.tokens, tokens, strict=False):
            if own != other:
                break
            count += 1
        return count


class Step(Protocol):
    """Decoding step with the call signature of `TextDecoder.forward`."""

    def __call__(
        self,
        tokens: Sequence[Sequence[int]],
        caches: Sequence[DecoderCache],
        branches: Sequence[TreeBranches | None] | None = None,
        since: Sequence[int] | None = None,
        /,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Append each row's tokens to its cache; rows can be left out once they have ended."""
        ...


class Stepping(Protocol):
    """Replacement for the decoder's own steps, e.g. `StaticDecoder`."""

    def steps(self, caches: Sequence[DecoderCache]) -> AbstractContextManager[Step]:
        """Load the caches of a batch; they are up to date again when the context ends."""
        ...


def joined(dtype: torch.dtype, *parts: KeyValues | None) -> KeyValues:
    """Copy keys and values of neighbouring stretches of positions, one behind the other."""
    keys, values = zip(*(part for part in parts if part is not None), strict=True)
    return _concatenated(dtype, keys), _concatenated(dtype, values)


def _concatenated(dtype: torch.dtype, parts: Sequence[Tensor]) -> Tensor:
    """Return ``[1, H, S, W]`` parts along S; each is converted as it is copied."""
    _, heads, _, width = parts[0].shape
    lengths = [part.shape[2] for part in parts]
    whole = parts[0].new_empty((1, heads, sum(lengths), width), dtype=dtype)
    for place, part in zip(torch.split(whole, lengths, dim=2), parts, strict=True):
        place.copy_(part)
    return whole
