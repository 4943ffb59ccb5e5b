"""Slots of the static decoder: tensors of fixed shapes that hold the caches of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamwhisper.whisper.kv_cache import DecoderCache, KeyValues, one_batch

__all__ = ["DecoderSlots", "audible_positions", "audio_positions"]


@dataclass(slots=True, eq=False)
class DecoderSlots:
    """Preallocated tensors for a batch: B rows, T tokens, S positions of audio.

    Attributes:
        tokens: input of a step, ``[B, 1]``.
        places: position of each input token in its text, ``[B, 1]``.
        text: keys and values of the text for each layer, ``[B, H, T, W]``.
        audio: keys and values of the audio for each layer, ``[B, H, S, W]``.
        bias: added to the cross-attention scores, ``[B, 1, 1, S]``.
        silent: added to the scores of the alignment heads, ``[B, 1, 1, S]``; minus infinity where
            there is no audio.
        graph: recorded step, on a GPU.
        result: output of the graph: hidden states ``[B, 1, D]`` and alignment weights
            ``[B, n_heads, 1, S]``.
    """

    tokens: Tensor
    places: Tensor
    text: list[KeyValues]
    audio: list[KeyValues]
    bias: Tensor
    silent: Tensor
    graph: torch.cuda.CUDAGraph | None = None
    result: tuple[Tensor, Tensor] | None = None

    def clear(self) -> None:
        """Set all to zero: masked positions have no effect unless they hold NaN."""
        for layers in (self.text, self.audio):
            torch._foreach_zero_([part for layer in layers for part in layer])
        for tensor in (self.tokens, self.places, self.bias, self.silent):
            tensor.zero_()

    def load(self, caches: Sequence[DecoderCache]) -> None:
        """Copy the caches of a batch into the slots, one row each."""
        batch = one_batch([cache.slot for cache in caches])
        if batch is None:
            for row, cache in enumerate(caches):
                self._load_row(row, cache)
            return
        own_slots = [cache.slot for cache in caches if cache.slot is not None]
        rows = [slot.row for slot in own_slots]
        device, count, positions = self.tokens.device, len(caches), batch.bias.shape[1]
        chosen = torch.tensor(rows, device=device)
        audible = torch.tensor([slot.audible for slot in own_slots], device=device)
        self.bias[:count, ..., positions:] = -torch.inf
        self.bias[:count, 0, 0, :positions] = batch.bias[chosen]
        beyond = torch.arange(self.silent.shape[3], device=device) >= audible[:, None]
        self.silent[:count, 0, 0].masked_fill_(beyond, -torch.inf)
        in_order = rows == list(range(len(batch.bias)))
        for own, given in zip(self.audio, batch.layers, strict=True):
            for place, part in zip(own, given, strict=True):
                place[:count, :, :positions] = part if in_order else part[chosen]

    def _load_row(self, row: int, cache: DecoderCache) -> None:
        positions = cache.cross_attention[0][0].shape[2]
        self.bias[row, ..., positions:] = -torch.inf
        if cache.cross_bias is not None:
            self.bias[row, ..., :positions] = cache.cross_bias
        if (audible := audible_positions(cache)) is not None:
            self.silent[row, ..., audible:] = -torch.inf
        for mine, theirs, length in (
            (self.text, cache.self_attention, cache.length),
            (self.audio, cache.cross_attention, positions),
        ):
            for own, given in zip(mine, theirs, strict=True):
                for place, part in zip(own, given, strict=True):
                    place[row, :, :length] = part[0, :, :length]

    def store(self, row: int, cache: DecoderCache, held: int) -> None:
        """Copy keys and values after the first `held` tokens back to the row's cache."""
        if cache.slot is not None:
            return
        for own, theirs in zip(self.text, cache.self_attention, strict=True):
            for part, place in zip(own, theirs, strict=True):
                place[0, :, held : cache.length] = part[row, :, held : cache.length]


def audio_positions(cache: DecoderCache) -> int:
    """Return the number of audio positions of a cache, including the silent tail."""
    if cache.slot is not None:
        return cache.slot.batch.bias.shape[1]
    return cache.cross_attention[0][0].shape[2]


def audible_positions(cache: DecoderCache) -> int | None:
    """Return the number of positions with alignment weights; None if none are wanted."""
    if cache.slot is not None:
        return cache.slot.audible
    return next((keys.shape[-1] for keys in cache.aligning if keys is not None), None)
