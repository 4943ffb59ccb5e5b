"""The decoder's step in fixed shapes and places: what a compiler, or a CUDA graph, needs.

On a GPU a token costs the time to start its many small kernels, one row after the other. Here the
rows of a batch lie in the slots of one cache, each padded to the same length, and go through
every layer together; so the step has a fixed shape, can be compiled, and on a GPU is recorded
once and replayed whole. That is what ``torch.compile(mode="reduce-overhead")`` does; but its
graphs belong to the thread that made them, and a server answers in many.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from streamwhisper.whisper.model import DecoderBlock, Whisper
from streamwhisper.whisper.rows import Branches, DecoderCache, KeysValues

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
        tokens: to read, ``[B]``.
        places: where each goes in its text, ``[B]``.
        text: keys and values of each layer, ``[B, H, T, D / H]``.
        sound: the same of the sound, ``[B, H, S, D / H]``.
        bias: on the attention scores of the sound, ``[B, 1, 1, S]``.
        silent: the same of the alignment heads: minus infinity where there is no sound.
        graph: the recorded step, on a GPU.
        result: where it puts hidden states ``[B, D]`` and weights ``[B, n_heads, S]``.
    """

    tokens: Tensor
    places: Tensor
    text: list[KeysValues]
    sound: list[KeysValues]
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

    def load(self, row: int, cache: DecoderCache) -> None:
        """Copy a row's cache into a slot."""
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

    @contextmanager
    def steps(self, caches: Sequence[DecoderCache]) -> Iterator[Steps]:
        """Take the caches of a batch in, each aligned; they are up to date again at the end."""
        with self._lock:
            slots = self._room(caches)
            held = [cache.length for cache in caches]
            slots.clear()
            for row, cache in enumerate(caches):
                slots.load(row, cache)
            yield Steps(self, slots, caches)
            for row, (cache, length) in enumerate(zip(caches, held, strict=True)):
                slots.store(row, cache, length)

    def run(self, slots: _Slots) -> tuple[Tensor, Tensor]:
        """One step of every slot; the results stay valid until the next one."""
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
        decoder = self.model.decoder
        # A row that is full has no place in its text any more; nobody reads what it gives.
        within = slots.places.clamp(max=len(decoder.positional_embedding) - 1)
        x = decoder.token_embedding(slots.tokens) + decoder.positional_embedding[within]
        every = torch.arange(slots.text[0][0].shape[2], device=slots.places.device)
        mask = (every <= slots.places[:, None])[:, None, None]
        weights = []
        for layer, block in enumerate(decoder.blocks):
            x, query = self._block(
                cast(DecoderBlock, block),
                x,
                *slots.text[layer],
                *slots.sound[layer],
                slots.places,
                mask,
                slots.bias,
            )
            heads = self._aligning[layer]
            if len(heads):
                keys = slots.sound[layer][0].index_select(1, heads)
                scores = query.index_select(1, heads) @ keys.transpose(2, 3)
                scores = scores * query.shape[-1] ** -0.5 + slots.silent
                weights.append(scores[:, :, 0].float().softmax(dim=-1))
        return decoder.ln(x), torch.cat(weights, dim=1)

    def _room(self, caches: Sequence[DecoderCache]) -> _Slots:
        """Slots for so many rows with so much sound; all of them share their memory."""
        rows, positions = 1, SMALLEST_SOUND
        while rows < len(caches):
            rows *= 2
        while positions < max(cache.cross_attention[0][0].shape[2] for cache in caches):
            positions *= 2
        key = (rows, positions)
        if key in self._slots:
            return self._slots[key]
        dims = self.model.dims
        width = dims.n_text_state // dims.n_text_head
        shape = (rows, dims.n_text_head, dims.n_text_ctx + SPARE, width)
        text = self._views(0, shape)
        sound = self._views(1, (rows, dims.n_text_head, positions, width))
        like = text[0][0]
        bias = like.new_zeros(rows, 1, 1, positions)
        places = like.new_zeros(rows, dtype=torch.long)
        slots = _Slots(places, places.clone(), text, sound, bias, bias.clone())
        self._slots[key] = slots
        return slots

    def _views(self, kind: int, shape: tuple[int, ...]) -> list[KeysValues]:
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
    """The steps of one batch; called as `TextDecoder.forward` is, with one token for each row."""

    def __init__(
        self, decoder: StaticDecoder, slots: _Slots, caches: Sequence[DecoderCache]
    ) -> None:
        self._decoder, self._slots, self._caches = decoder, slots, caches
        self._rows = {id(cache): row for row, cache in enumerate(caches)}

    def __call__(
        self,
        tokens: Sequence[Sequence[int]],
        caches: Sequence[DecoderCache],
        branches: Sequence[Branches | None] | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Run one token of each row, and count it in; rows that are left out stay as they are.

        Args:
            branches: none, as each row has one token.

        Returns:
            hidden states and attention of each row, as `TextDecoder.forward` has them.
        """
        slots, rows = self._slots, [self._rows[id(cache)] for cache in caches]
        count = len(slots.tokens)
        given, places = [0] * count, [0] * count
        for row, cache in enumerate(self._caches):
            places[row] = cache.length
        for row, (token,) in zip(rows, tokens, strict=True):
            given[row] = token
        inputs = torch.tensor([given, places])
        slots.tokens.copy_(inputs[0])
        slots.places.copy_(inputs[1])
        hidden, weights = self._decoder.run(slots)
        hidden, weights = hidden.clone(), weights.clone()
        aligned = []
        for row, cache in zip(rows, caches, strict=True):
            cache.length += 1
            if (audible := _audible(cache)) is not None:
                aligned.append(weights[row, :, None, :audible])
        return [hidden[row : row + 1] for row in rows], aligned


def _audible(cache: DecoderCache) -> int | None:
    """Positions that the alignment heads may attend to; None where they are not asked for."""
    return next((keys.shape[-1] for keys in cache.aligning if keys is not None), None)


def _block(
    block: DecoderBlock,
    x: Tensor,
    text_keys: Tensor,
    text_values: Tensor,
    sound_keys: Tensor,
    sound_values: Tensor,
    places: Tensor,
    mask: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """``x [B, D]`` to the same, and the queries to the sound, ``[B, H, 1, D / H]``."""
    rows, heads, _, width = text_keys.shape
    shape = (rows, heads, 1, width)
    queries, keys, values = (part.view(shape) for part in block.attn.project(block.attn_ln(x)))
    index = places.view(rows, 1, 1, 1).expand(shape)
    text_keys.scatter_(2, index, keys)
    text_values.scatter_(2, index, values)
    attended = F.scaled_dot_product_attention(queries, text_keys, text_values, attn_mask=mask)
    x = x + block.attn.out(attended.reshape(rows, -1))
    queries = block.cross_attn.query(block.cross_attn_ln(x)).view(shape)
    attended = F.scaled_dot_product_attention(queries, sound_keys, sound_values, attn_mask=bias)
    x = x + block.cross_attn.out(attended.reshape(rows, -1))
    return x + block.mlp(block.mlp_ln(x)), queries
