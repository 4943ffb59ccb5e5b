"""Static decoder: decoding steps of fixed shapes, for CUDA graphs and compilers.

On a GPU, a token costs the time to start its many small kernels, one row after the other. Here the
rows of a batch lie in slots padded to one length and pass each layer together. A step has a fixed
shape, so it can be compiled, and a GPU records it once and replays it whole.
``torch.compile(mode="reduce-overhead")`` does the same, but its graphs belong to the thread that
made them, and a server answers in several threads. The prefill (context, prefix and draft) also
runs as one batch, but unrecorded, because its length varies.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from torch import Tensor

from streamwhisper.whisper.blocks import DecoderBlock, alignment_weights, attend, split_heads
from streamwhisper.whisper.kv_cache import DecoderCache, KeyValues, TreeBranches
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.static_slots import (
    DecoderSlots,
    audible_positions,
    audio_positions,
)

__all__ = ["StaticDecoder"]

SPARE = 8
"""Positions after the text context, so that a full row has somewhere to write."""
SMALLEST_AUDIO = 512
"""Audio positions of the smallest slots; each larger size has twice as many."""

Block = Callable[..., tuple[Tensor, Tensor]]


class StaticDecoder:
    """Batched decoding steps of one model; thread-safe, one batch at a time."""

    def __init__(self, model: Whisper, *, compiled: bool = False, graphs: bool = True) -> None:
        """Prepare the decoder; slots are allocated for the first batch.

        Args:
            model: the network.
            compiled: compile the layers; needs a compiler on this machine.
            graphs: on a GPU, record the step once for every shape, and replay it.
        """
        self.model = model
        self.compiled = compiled
        self._block: Block = _block
        if compiled:
            self._block = torch.compile(_block, fullgraph=True, dynamic=True)
        self._graphs = graphs and model.device.type == "cuda"
        self._slots: dict[tuple[int, int], DecoderSlots] = {}
        self._memory: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._aligning = [
            torch.tensor(heads, dtype=torch.long, device=model.device)
            for heads in model.decoder.aligning
        ]
        self._lock = threading.Lock()

    @torch.inference_mode()
    def try_out(self) -> None:
        """Run steps of one row and of two, which compiles the layers.

        Raises:
            RuntimeError: the layers cannot be compiled on this machine.
        """
        dims = self.model.dims
        shape = (1, dims.n_text_head, 1, dims.n_text_state // dims.n_text_head)
        silence = torch.zeros(shape, device=self.model.device, dtype=self.model.dtype)
        audio = [(silence, silence)] * dims.n_text_layer
        for rows in (1, 2):  # compilers specialize for one row
            caches = [self.model.decoder_cache(audio, 1, capacity=1) for _ in range(rows)]
            with self.steps(caches) as step:
                step([[0]] * rows, caches)

    @torch.inference_mode()
    def prepare(self, rows: int) -> None:
        """Record the steps of 1 to `rows` rows ahead of time, so that no request waits for it."""
        if not self._graphs:
            return
        positions = _doubled(SMALLEST_AUDIO, self.model.dims.n_audio_ctx)
        with self._lock:
            while positions >= SMALLEST_AUDIO:  # largest first, so memory is allocated once
                count = _doubled(1, rows)
                while count:
                    slots = self._room(count, positions)
                    if slots.graph is None:
                        self._record(slots)
                    count //= 2
                positions //= 2

    @contextmanager
    def steps(self, caches: Sequence[DecoderCache]) -> Iterator[Steps]:
        """Load the caches of a batch; they are up to date again when the context ends."""
        with self._lock:
            slots = self._room(len(caches), max(map(audio_positions, caches)))
            held = [cache.length for cache in caches]
            slots.clear()
            slots.load(caches)
            yield Steps(self, slots, caches)
            for row, (cache, length) in enumerate(zip(caches, held, strict=True)):
                slots.store(row, cache, length)

    def run(self, slots: DecoderSlots, tokens: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Run new tokens of every slot.

        Args:
            slots: slots of the batch.
            tokens: ``[B, L]``.
            places: position of each token in its text, ``[B, L]``.

        Returns:
            hidden states ``[B, L, D]`` and weights of the alignment heads, float32
            ``[B, n_heads, L, S]``; both valid until the next call.
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

    def _record(self, slots: DecoderSlots) -> None:
        # A first run on its own stream: libraries initialize, and the compiler compiles.
        stream = torch.cuda.Stream(self.model.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.model.device))
        with torch.cuda.stream(stream):
            self._step(slots)
        torch.cuda.current_stream(self.model.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            slots.result = self._step(slots)
        slots.graph = graph

    def _step(self, slots: DecoderSlots) -> tuple[Tensor, Tensor]:
        return self._through(slots, slots.tokens, slots.places, self._block)

    def _through(
        self, slots: DecoderSlots, tokens: Tensor, places: Tensor, run: Block
    ) -> tuple[Tensor, Tensor]:
        decoder = self.model.decoder
        # A full row has no position left in the text context; its output is not used.
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
                *slots.audio[layer],
                places,
                mask,
                slots.bias,
            )
            heads = self._aligning[layer]
            if len(heads):
                chosen = split_heads(queries, decoder.n_head).index_select(1, heads)
                keys = slots.audio[layer][0].index_select(1, heads).transpose(2, 3)
                weights.append(alignment_weights(chosen, keys, slots.silent))
        return decoder.ln(x), torch.cat(weights, dim=1)

    def _room(self, count: int, length: int) -> DecoderSlots:
        """Return slots for `count` rows of `length` audio positions; all slots share memory."""
        rows, positions = key = _doubled(1, count), _doubled(SMALLEST_AUDIO, length)
        if key in self._slots:
            return self._slots[key]
        dims = self.model.dims
        width = dims.n_text_state // dims.n_text_head
        shape = (rows, dims.n_text_head, dims.n_text_ctx + SPARE, width)
        text = self._views(0, shape)
        audio = self._views(1, (rows, dims.n_text_head, positions, width))
        like = text[0][0]
        bias = like.new_zeros(rows, 1, 1, positions)
        places = like.new_zeros(rows, 1, dtype=torch.long)
        slots = DecoderSlots(places, places.clone(), text, audio, bias, bias.clone())
        self._slots[key] = slots
        return slots

    def _views(self, kind: int, shape: tuple[int, ...]) -> list[KeyValues]:
        """Return keys and values of each layer in shared memory; growing it drops all slots."""
        memory, numbers = self._memory[kind], math.prod(shape)
        layers, model = self.model.dims.n_text_layer, self.model
        if not memory or len(memory[0]) < numbers:
            self._slots.clear()
            memory.clear()  # freed before the larger one is allocated
            memory += (
                torch.zeros(numbers, device=model.device, dtype=model.dtype)
                for _ in range(2 * layers)
            )
        views = [part[:numbers].view(shape) for part in memory]
        return list(zip(views[::2], views[1::2], strict=True))


class Steps:
    """Steps of one batch, with the call signature of `TextDecoder.forward`."""

    def __init__(
        self, decoder: StaticDecoder, slots: DecoderSlots, caches: Sequence[DecoderCache]
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
        """Run new tokens of each row; rows left out stay unchanged.

        Args:
            tokens: for each row, at least one token.
            caches: caches of these rows, from the batch.
            branches: not supported; None, or None for each row.
            since: for each row, the first token whose alignment weights are returned.

        Returns:
            hidden states and alignment weights as from `TextDecoder.forward`; the weights are on
            the CPU, fetched in one transfer for all rows.
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
    """Return `size`, doubled until it is at least `least`."""
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
    """Return the requested part of ``weights [B, n_heads, L, S]`` on the CPU, in one transfer.

    For a long text that part is small; fetching the rest would take longer than computing it.
    """
    audible = list(map(audible_positions, caches))
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
