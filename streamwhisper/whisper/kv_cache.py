"""The rows of a batch: what the network is given for one window, and keeps for one text."""

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
"""Keys and values of one layer and row, each ``[1, H, S, D / H]``."""


@dataclass(frozen=True, slots=True, eq=False)
class EncoderRow:
    """One window to encode.

    Attributes:
        mel: clamped and scaled, ``[n_mels, n_frames]``, from two frames before the first
            position to compute; frames past the last position only feed the convolutions.
        positions: how many to compute.
        before: for each layer, keys and values of the positions from the window's start on that
            stand already: attended to, not computed; in any floating-point type. None for none;
            then `mel` begins with the window.
        tail: the same of the positions that follow.
        bias: added to the attention scores, ``[1, all positions]``.
    """

    mel: Tensor
    positions: int
    before: Sequence[KeyValues] | None = None
    tail: Sequence[KeyValues] | None = None
    bias: Tensor | None = None

    @property
    def first(self) -> int:
        """The first position to compute."""
        return self.before[0][0].shape[2] if self.before else 0


@dataclass(frozen=True, slots=True, eq=False)
class EncodedBatch:
    """Encoded windows side by side, padded to one length.

    Attributes:
        layers: keys and values of each decoder layer, ``[B, H, S, D / H]``.
        bias: added to the attention scores, ``[B, S]``; minus infinity where a row is padded.
    """

    layers: list[KeyValues]
    bias: Tensor

    def row(self, number: int) -> list[KeyValues]:
        """Keys and values of one window, each ``[1, H, S, D / H]``."""
        own = slice(number, number + 1)
        return [(keys[own], values[own]) for keys, values in self.layers]


@dataclass(frozen=True, slots=True, eq=False)
class BatchSlot:
    """A row's place in a batch of sounds.

    Attributes:
        audible: positions that the alignment heads may attend to.
    """

    sounds: EncodedBatch
    row: int
    audible: int


def one_batch(seats: Sequence[BatchSlot | None]) -> EncodedBatch | None:
    """The batch that all of them are in; None where there is none, or more than one."""
    batches = {None if seat is None else seat.sounds for seat in seats}
    return batches.pop() if len(batches) == 1 else None


@dataclass(slots=True, eq=False)
class DecoderCache:
    """Keys and values of every decoder layer for one row.

    Attributes:
        self_attention: preallocated for as many tokens as may come; `length` are filled.
        cross_attention: of the encoded sound; never changes.
        cross_bias: added to its attention scores, ``[1, S]``; None for none.
        aligning: for each layer, the keys of its alignment heads, ``[n_heads, D / H, audible]``.
        length: tokens held. Set it back to forget the last ones.
    """

    self_attention: list[KeyValues]
    cross_attention: list[KeyValues]
    cross_bias: Tensor | None
    aligning: list[Tensor | None]
    length: int = 0
    seat: BatchSlot | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TreeBranches:
    """Tokens that do not follow one another: the tips of texts that share a beginning.

    All of them lie in one row and one cache, so the sound is attended to by all at once, and
    no cache is ever copied or put in another order.

    Attributes:
        position: of each of them in its text.
        mask: for each of them, which of the tokens held and of themselves are its text, bool
            ``[L, held + L]``; None for a single one, which follows them all.
    """

    position: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPrefix:
    """What the decoder made of a text; a later decoding may go on behind any of its tokens.

    Attributes:
        tokens: the context, the prefix and what was written.
        self_attention: keys and values of each layer, for every token.
        weights: attention of the alignment heads, float32 ``[n_heads, n_rows, audible]``: a row
            for each token from the last of the context on, without the first ones.
        first_row: how many of those are left out, as no longer text needs them.
        no_speech_probability: at the start-of-transcript token.
    """

    tokens: tuple[int, ...]
    self_attention: list[KeyValues]
    weights: Tensor
    first_row: int
    no_speech_probability: float

    def shared(self, tokens: Sequence[int]) -> int:
        """How many tokens it has in common with the beginning of `tokens`."""
        count = 0
        for own, other in zip(self.tokens, tokens, strict=False):
            if own != other:
                break
            count += 1
        return count


class Step(Protocol):
    """One token more for each row; called, and answers, as `TextDecoder.forward` does."""

    def __call__(
        self,
        tokens: Sequence[Sequence[int]],
        caches: Sequence[DecoderCache],
        branches: Sequence[TreeBranches | None] | None = None,
        since: Sequence[int] | None = None,
        /,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run each row's token, and count it in; rows may be left out once they have ended."""
        ...


class Stepping(Protocol):
    """Another way than the decoder itself to write token by token."""

    def steps(self, caches: Sequence[DecoderCache]) -> AbstractContextManager[Step]:
        """Take in the caches of a batch; they are up to date again when the context ends."""
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
