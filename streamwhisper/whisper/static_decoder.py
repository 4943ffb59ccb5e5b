"""The decoder's step in fixed shapes and places: what a compiler, or a CUDA graph, needs.

On a GPU a token costs the time to start its many small kernels, one row after the other. Here the
rows of a batch lie in the slots of one cache, each padded to the same length, and go through
every layer together; so the step has a fixed shape, can be compiled, and on a GPU is recorded
once and replayed whole. That is what ``torch.compile(mode="reduce-overhead")`` does; but its
graphs belong to the thread that made them, and a server answers in many. What comes before the
first step (context, prefix and draft) goes through together too, but unrecorded, for its length
is never the same.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from streamwhisper.whisper.blocks import DecoderBlock, alignment_weights, attend, split_heads
from streamwhisper.whisper.kv_cache import DecoderCache, KeyValues, TreeBranches, one_batch
from streamwhisper.whisper.model import Whisper

__all__ = ["StaticDecoder"]

SPARE = 8
"""Places behind the text context, so that a row that is full has somewhere to write."""
SMALLEST_SOUND = 512
"""Positions of sound that the smallest slot has room for; the next one has twice as many."""

Block = Callable[..., tuple[Tensor, Tensor]]


@dataclass(slots=True, eq=False)
class _Slots:
    """Room for a batch: B rows, T tokens, S positions of sound.

    Attributes:
        tokens: to read in a step, ``[B, 1]``.
        places: where each goes in its text, ``[B, 1]``.
        text: keys and values of each layer, ``[B, H, T, D / H]``.
        sound: the same of the sound, ``[B, H, S, D / H]``.
        bias: on the attention scores of the sound, ``[B, 1, 1, S]``.
        silent: the same of the alignment heads: minus infinity where there is no sound.
        graph: the recorded step, on a GPU.
        result: where it puts hidden states ``[B, 1, D]`` and weights ``[B, n_heads, 1, S]``.
    """

    tokens: Tensor
    places: Tensor
    text: list[KeyValues]
    sound: list[KeyValues]
    bias: Tensor
    silent: Tensor
    graph: torch.cuda.CUDAGraph | None = None
    result: tuple[Tensor, Tensor] | None = None

    def clear(self) -> None:
        """Forget the last batch: what is masked counts nothing, unless it is no number."""
        for layers in (self.text, self.sound):
            torch._foreach_zero_([part for layer in layers for part in layer])
        for tensor in (self.tokens, self.places, self.bias, self.silent):
            tensor.zero_()

    def load(self, caches: Sequence[DecoderCache]) -> None:
        """Copy the caches of a batch into the slots."""
        batch = one_batch([cache.seat for cache in caches])
        if batch is None:
            for row, cache in enumerate(caches):
                self._load_row(row, cache)
            return
        seats = [cache.seat for cache in caches if cache.seat is not None]
        rows = [seat.row for seat in seats]
        device, count, positions = self.tokens.device, len(caches), batch.bias.shape[1]
        chosen = torch.tensor(rows, device=device)
        heard = torch.tensor([seat.audible for seat in seats], device=device)
        self.bias[:count, ..., positions:] = -torch.inf
        self.bias[:count, 0, 0, :positions] = batch.bias[chosen]
        beyond = torch.arange(self.silent.shape[3], device=device) >= heard[:, None]
        self.silent[:count, 0, 0].masked_fill_(beyond, -torch.inf)
        in_order = rows == list(range(len(batch.bias)))
        for own, given in zip(self.sound, batch.layers, strict=True):
            for place, part in zip(own, given, strict=True):
                place[:count, :, :positions] = part if in_order else part[chosen]

    def _load_row(self, row: int, cache: DecoderCache) -> None:
        positions = cache.cross_attention[0][0].shape[2]
        self.bias[row, ..., positions:] = -torch.inf
        if cache.cross_bias is not None:
            self.bias[row, ..., :positions] = cache.cross_bias
        if (audible := _audible(cache)) is not None:
            self.silent[row, ..., audible:] = -torch.inf
        for mine, theirs, length in (
            (self.text, cache.self_attention, cache.length),
            (self.sound, cache.cross_attention, positions),
        ):
            for own, given in zip(mine, theirs, strict=True):
                for place, part in zip(own, given, strict=True):
                    place[row, :, :length] = part[0, :, :length]

    def store(self, row: int, cache: DecoderCache, held: int) -> None:
        """Copy what was written after the first `held` tokens back to the row's cache."""
        if cache.seat is not None:
            return
        for own, theirs in zip(self.text, cache.self_attention, strict=True):
            for part, place in zip(own, theirs, strict=True):
                place[0, :, held : cache.length] = part[row, :, held : cache.length]


class StaticDecoder:
    """Steps of one model's decoder; one batch at a time, whichever thread it comes from."""

    def __init__(self, model: Whisper, *, compiled: bool = False, graphs: bool = True) -> None:
        """Prepare it; costs nothing before the first batch.

        Args:
            compiled: compile a layer (one serves for all); needs a compiler on this machine.
            graphs: on a GPU, record each step once for every shape, and replay it.
        """
        self.model = model
        self.compiled = compiled
        self._block: Block = _block
        if compiled:
            self._block = torch.compile(_block, fullgraph=True, dynamic=True)
        self._graphs = graphs and model.device.type == "cuda"
        self._slots: dict[tuple[int, int], _Slots] = {}
        self._memory: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._aligning = [
            torch.tensor(heads, dtype=torch.long, device=model.device)
            for heads in model.decoder.aligning
        ]
        self._lock = threading.Lock()

    @torch.inference_mode()
    def try_out(self) -> None:
        """Run a step of one row and one of two, which compiles all that is compiled.

        Raises:
            RuntimeError: it cannot be compiled here.
        """
        dims = self.model.dims
        shape = (1, dims.n_text_head, 1, dims.n_text_state // dims.n_text_head)
        silence = torch.zeros(shape, device=self.model.device, dtype=self.model.dtype)
        sound = [(silence, silence)] * dims.n_text_layer
        for rows in (1, 2):  # compilers take one row for a case of its own
            caches = [self.model.decoder_cache(sound, 1, capacity=1) for _ in range(rows)]
            with self.steps(caches) as step:
                step([[0]] * rows, caches)

    @torch.inference_mode()
    def prepare(self, rows: int) -> None:
        """Record the steps of up to so many rows, which would hold up those who speak."""
        if not self._graphs:
            return
        positions = _doubled(SMALLEST_SOUND, self.model.dims.n_audio_ctx)
        with self._lock:
            while positions >= SMALLEST_SOUND:  # the most memory first: it is got once
                count = _doubled(1, rows)
                while count:
                    slots = self._room(count, positions)
                    if slots.graph is None:
                        self._record(slots)
                    count //= 2
                positions //= 2

    @contextmanager
    def steps(self, caches: Sequence[DecoderCache]) -> Iterator[Steps]:
        """Take the caches of a batch in, each aligned; they are up to date again at the end."""
        with self._lock:
            slots = self._room(len(caches), max(map(_positions, caches)))
            held = [cache.length for cache in caches]
            slots.clear()
            slots.load(caches)
            yield Steps(self, slots, caches)
            for row, (cache, length) in enumerate(zip(caches, held, strict=True)):
                slots.store(row, cache, length)

    def run(self, slots: _Slots, tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens ``[B, L]`` of every slot at their places.

        Returns:
            hidden states ``[B, L, D]`` and attention of the alignment heads, float32
            ``[B, n_heads, L, S]``; valid until the next call.
        """
        device = slots.tokens.device
        if tokens.shape[1] > 1:
            return self._through(slots, tokens.to(device), places.to(device), _block)
        slots.tokens.copy_(tokens)
        slots.places.copy_(places)
        if not self._graphs:
            return self._step(slots)
        if slots.graph is None:
            self._record(slots)
        assert slots.graph is not None
        assert slots.result is not None
        slots.graph.replay()
        return slots.result

    def _record(self, slots: _Slots) -> None:
        # Once before on a stream of its own: libraries prepare, and the compiler compiles.
        stream = torch.cuda.Stream(self.model.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.model.device))
        with torch.cuda.stream(stream):
            self._step(slots)
        torch.cuda.current_stream(self.model.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            slots.result = self._step(slots)
        slots.graph = graph

    def _step(self, slots: _Slots) -> tuple[Tensor, Tensor]:
        return self._through(slots, slots.tokens, slots.places, self._block)

    def _through(
        self, slots: _Slots, tokens: Tensor, places: Tensor, run: Block
    ) -> tuple[Tensor, Tensor]:
        decoder = self.model.decoder
        # A row that is full has no place in its text any more; nobody reads what it gives.
        within = places.clamp(max=len(decoder.positional_embedding) - 1)
        x = decoder.token_embedding(tokens) + decoder.positional_embedding[within]
        every = torch.arange(slots.text[0][0].shape[2], device=places.device)
        mask = (every <= places[..., None])[:, None]
        weights = []
        for layer, block in enumerate(decoder.blocks):
            x, queries = run(
                cast("DecoderBlock", block),
                x,
                *slots.text[layer],
                *slots.sound[layer],
                places,
                mask,
                slots.bias,
            )
            heads = self._aligning[layer]
            if len(heads):
                chosen = split_heads(queries, decoder.n_head).index_select(1, heads)
                keys = slots.sound[layer][0].index_select(1, heads).transpose(2, 3)
                weights.append(alignment_weights(chosen, keys, slots.silent))
        return decoder.ln(x), torch.cat(weights, dim=1)

    def _room(self, count: int, length: int) -> _Slots:
        """Slots for so many rows with so much sound; all of them share their memory."""
        rows, positions = key = _doubled(1, count), _doubled(SMALLEST_SOUND, length)
        if key in self._slots:
            return self._slots[key]
        dims = self.model.dims
        width = dims.n_text_state // dims.n_text_head
        shape = (rows, dims.n_text_head, dims.n_text_ctx + SPARE, width)
        text = self._views(0, shape)
        sound = self._views(1, (rows, dims.n_text_head, positions, width))
        like = text[0][0]
        bias = like.new_zeros(rows, 1, 1, positions)
        places = like.new_zeros(rows, 1, dtype=torch.long)
        slots = _Slots(places, places.clone(), text, sound, bias, bias.clone())
        self._slots[key] = slots
        return slots

    def _views(self, kind: int, shape: tuple[int, ...]) -> list[KeyValues]:
        """Keys and values of each layer; more memory than there is costs all other slots."""
        memory, numbers = self._memory[kind], math.prod(shape)
        layers, model = self.model.dims.n_text_layer, self.model
        if not memory or len(memory[0]) < numbers:
            self._slots.clear()
            memory.clear()  # before there is more
            memory += (
                torch.zeros(numbers, device=model.device, dtype=model.dtype)
                for _ in range(2 * layers)
            )
        views = [part[:numbers].view(shape) for part in memory]
        return list(zip(views[::2], views[1::2], strict=True))


class Steps:
    """The steps of one batch; called as `TextDecoder.forward` is."""

    def __init__(
        self, decoder: StaticDecoder, slots: _Slots, caches: Sequence[DecoderCache]
    ) -> None:
        self._decoder, self._slots, self._caches = decoder, slots, caches
        self._rows = {cache: row for row, cache in enumerate(caches)}

    def __call__(
        self,
        tokens: Sequence[Sequence[int]],
        caches: Sequence[DecoderCache],
        branches: Sequence[TreeBranches | None] | None = None,
        since: Sequence[int] | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run each row's tokens, and count them in; rows that are left out stay as they are.

        Args:
            branches: none, as each row has one token.
            since: as `TextDecoder.forward` has it.

        Returns:
            hidden states and attention of each row, as `TextDecoder.forward` has them; attention
            in the CPU's memory, where it is wanted, fetched once for all rows.
        """
        slots, rows = self._slots, [self._rows[cache] for cache in caches]
        longest = max(map(len, tokens))
        given = np.zeros((len(slots.tokens), longest), np.int64)
        places = np.zeros_like(given)
        for row, cache in enumerate(self._caches):
            places[row] = cache.length + np.arange(longest)
        np.minimum(places, slots.text[0][0].shape[2] - 1, out=places)
        for row, own in zip(rows, tokens, strict=True):
            given[row, : len(own)] = own
        hidden, weights = self._decoder.run(
            slots, torch.from_numpy(given), torch.from_numpy(places)
        )
        hidden = hidden.clone()
        lengths = list(map(len, tokens))
        for cache, length in zip(caches, lengths, strict=True):
            cache.length += length
        aligned = _fetched(weights, rows, lengths, since or [0] * len(rows), caches)
        return [hidden[row, :length] for row, length in zip(rows, lengths, strict=True)], aligned


def _doubled(size: int, least: int) -> int:
    """`size`, doubled until it is at least so much."""
    while size < least:
        size *= 2
    return size


def _fetched(
    weights: Tensor,
    rows: Sequence[int],
    lengths: Sequence[int],
    since: Sequence[int],
    caches: Sequence[DecoderCache],
) -> list[Tensor]:
    """What is asked for of ``weights [B, n_heads, L, S]``, in the CPU's memory, in one transfer.

    Of a long text that is little, and to fetch the rest would take longer than to compute it.
    """
    audible = list(map(_audible, caches))
    widest = max((width for width in audible if width is not None), default=0)
    if not widest:
        return []
    counts = [length - first for length, first in zip(lengths, since, strict=True)]
    places = np.array(since)[:, None] + np.arange(max(counts))
    index = torch.from_numpy(np.minimum(places, weights.shape[2] - 1)).to(weights.device)
    chosen = torch.tensor(rows, device=weights.device)
    fetched = weights[..., :widest].transpose(1, 2)[chosen[:, None], index].cpu()
    return [
        own[:count, :, :width].transpose(0, 1)
        for own, count, width in zip(fetched, counts, audible, strict=True)
        if width is not None
    ]


def _positions(cache: DecoderCache) -> int:
    """Positions of sound, those of the tail among them."""
    if cache.seat is not None:
        return cache.seat.sounds.bias.shape[1]
    return cache.cross_attention[0][0].shape[2]


def _audible(cache: DecoderCache) -> int | None:
    """Positions that the alignment heads may attend to; None where they are not asked for."""
    if cache.seat is not None:
        return cache.seat.audible
    return next((keys.shape[-1] for keys in cache.aligning if keys is not None), None)


def _block(
    block: DecoderBlock,
    x: Tensor,
    text_keys: Tensor,
    text_values: Tensor,
    audio_keys: Tensor,
    audio_values: Tensor,
    places: Tensor,
    mask: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """Run one layer on the slots, ``x [B, L, D]``; see `DecoderBlock`."""
    n_head = text_keys.shape[1]

    def attend_text(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        new_keys, new_values = split_heads(keys, n_head), split_heads(values, n_head)
        index = places[:, None, :, None].expand_as(new_keys)
        text_keys.scatter_(2, index, new_keys)
        text_values.scatter_(2, index, new_values)
        return attend(queries, text_keys, text_values, mask)

    def attend_audio(queries: Tensor) -> Tensor:
        return attend(queries, audio_keys, audio_values, bias)

    output: tuple[Tensor, Tensor] = block(x, attend_text, attend_audio)
    return output
